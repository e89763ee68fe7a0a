"""Pictures as figures: what the tests of this folder share."""

from __future__ import annotations

import matplotlib
import pytest
from drawn import make_run

from harness.report import layout
from harness.report.drawing import STYLE


@pytest.fixture
def load(tmp_path):
    """`load(**run)`: a run as `drawn.make_run` makes it, laid out."""
    return lambda **run: layout.load(make_run(tmp_path, **run))


@pytest.fixture(autouse=True)
def style():
    """The look that pictures have: names, for one, are no formulas."""
    with matplotlib.rc_context(STYLE):
        yield
