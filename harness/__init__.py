"""Build, judge and time inline-CUDA kernels against eager PyTorch."""

import sys
from pathlib import Path

__version__ = "0.1.0"

PROGRAM = "kernel-bench" if Path(sys.argv[0]).name == "kernel-bench" else "run_bench.py"
"""What the user calls this by, for messages that name a command."""
