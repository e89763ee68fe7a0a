"""How a run that is stopped half-way ends in order."""

from __future__ import annotations

import signal


class Stopped(Exception):
    """Ctrl-C. The message says what is kept."""


def ignore_signals() -> None:
    """After a first Ctrl-C, let no second one cut short what ends the process in order."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is signal.default_int_handler:
            signal.signal(number, signal.SIG_IGN)
