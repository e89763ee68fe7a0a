"""What judge and worker do alike with their device: choose it, pin its precision, call a model on
it, wait for it, give its memory back.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn


def choose(device: torch.device) -> None:
    """Make a device the current one: events, streams and many kernels take what is current."""
    if device.type == "cuda" and device.index is not None:
        torch.cuda.set_device(device)


def pin_precision() -> None:
    """Make a dtype mean itself, in every process: TF32 for float32 is another contract."""
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False
    torch.set_float32_matmul_precision("highest")
    # Nor are sums over a split K in 16 bits, which cuBLAS takes at some sizes and not at others.
    torch.backends.cuda.matmul.allow_bf16_reduced_precision_reduction = False
    torch.backends.cuda.matmul.allow_fp16_reduced_precision_reduction = False


def forward(model: nn.Module, inputs: Sequence[Any], seed: int) -> Any:
    """One call as the harness makes all of them: no gradients, a known random state."""
    torch.manual_seed(seed)
    with torch.no_grad():
        return model(*inputs)


def synchronize(device: torch.device) -> None:
    """Wait for all that was asked of the device. Raises what went wrong there meanwhile."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def release(device: torch.device) -> None:
    """Give memory that nothing holds any more back to the device, for other processes."""
    if device.type == "cuda":
        torch.cuda.empty_cache()
