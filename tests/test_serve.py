"""How a child names what went wrong."""

from __future__ import annotations

import io

import pytest

from harness.records import Status
from harness.serve import failure

BLAS = "CUBLAS_STATUS_ALLOC_FAILED"
DNN = "CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED"


@pytest.mark.parametrize(
    "error, status, poisoned",
    [
        (ValueError("no"), Status.RUNTIME_ERROR, False),
        (MemoryError(), Status.OUT_OF_MEMORY, False),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory"), Status.OUT_OF_MEMORY, False),
        (type("OutOfMemoryError", (RuntimeError,), {})("CUDA"), Status.OUT_OF_MEMORY, False),
        (RuntimeError("CUDA error: out of memory\nCompile with"), Status.OUT_OF_MEMORY, False),
        (RuntimeError(f"CUDA error: {BLAS} when calling"), Status.OUT_OF_MEMORY, False),
        (RuntimeError(f"cuDNN error: {DNN}"), Status.OUT_OF_MEMORY, False),
        (RuntimeError("CUDA error: CUBLAS_STATUS_EXECUTION_FAILED"), Status.RUNTIME_ERROR, True),
        (RuntimeError("CUDA error: an illegal memory access"), Status.RUNTIME_ERROR, True),
    ],
)
def test_failure_names_the_status(error: Exception, status: Status, poisoned: bool) -> None:
    named = failure(error, Status.RUNTIME_ERROR)
    assert (named.status, named.poisoned) == (status, poisoned)


def test_the_whole_traceback_is_in_the_log(capsys: pytest.CaptureFixture[str]) -> None:
    try:
        int("no number")
    except ValueError as error:
        failure(error, Status.LOAD_FAILED, __file__)
    said = capsys.readouterr().err
    assert "Traceback" in said and "test_serve.py" in said and "no number" in said


def test_a_closed_log_hides_no_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    closed = io.StringIO()
    closed.close()
    monkeypatch.setattr("sys.stderr", closed)
    assert failure(ValueError("no"), Status.LOAD_FAILED).reason == "ValueError: no"


def test_failure_gives_one_line_and_where_it_came_from() -> None:
    try:
        raise ValueError("first\nsecond")
    except ValueError as error:
        line = error.__traceback__.tb_lineno
        assert failure(error, Status.LOAD_FAILED, __file__).reason == (
            f"ValueError (test_serve.py:{line}): first"
        )
        assert failure(error, Status.LOAD_FAILED).reason == "ValueError: first"
    assert failure(KeyError(), Status.LOAD_FAILED).reason == "KeyError: no message"
