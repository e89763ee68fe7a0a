"""Build, judge and time inline-CUDA kernels against eager PyTorch."""

__version__ = "0.1.0"
