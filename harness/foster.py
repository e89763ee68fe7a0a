"""What makes the server the parent of whatever its children leave, imported by the server alone.

It waits for those it has adopted as for those it forked, and when it ends, since the parent is done
or was killed, it leaves none.
"""

import atexit
import os
import warnings

from harness import orphans

_SERVER = os.getpid()


def _leave_none() -> None:
    if os.getpid() == _SERVER:  # not for a child that comes to call this
        orphans.kill_below(_SERVER)


orphans.adopt()
atexit.register(_leave_none)
# `multiprocessing` is surprised at each that it did not fork.
warnings.filterwarnings("ignore", "forkserver: waitpid returned unexpected pid")
