"""What judge and worker do with their device: say what it is, choose it, pin its precision and
random state, call a model on it, give its memory back.
"""

from __future__ import annotations

import contextlib
import os
import random
from collections.abc import Iterator, Sequence
from typing import Any

import numpy
import torch
from torch import nn


def facts(device: str) -> dict[str, Any]:
    """What torch knows of a device: the fields of Machine, or how many GPUs there are instead.

    `device` may be "auto": CUDA where there is a GPU, else the CPU.
    """
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if device == "auto":
        device = "cuda" if count else "cpu"
    versions = {"torch": torch.__version__, "cuda": torch.version.cuda}
    kind, _, number = device.partition(":")
    if kind == "cpu":
        return versions | {"device": device, "threads": kernel_threads()}
    index = int(number or 0)
    if index >= count:
        return {"device_count": count}
    properties = torch.cuda.get_device_properties(index)
    return versions | {
        "device": f"cuda:{index}" if number else "cuda",
        "device_name": properties.name,
        "device_uuid": str(properties.uuid),
        "capability": [properties.major, properties.minor],
        "multiprocessors": properties.multi_processor_count,
        "memory_bytes": properties.total_memory,
        "l2_bytes": properties.L2_cache_size,
    }


def get_ready(device: str) -> None:
    """Start what takes CUDA some tenths of a second at its first use: a context, cuBLAS."""
    ones = torch.ones(2, dtype=torch.float64, device=device)
    ones.dot(ones).item()


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


def reseed(seed: int) -> None:
    """Set every random state that a problem or kernel may draw from: torch's, Python's, NumPy's.

    seed: 0 <= seed < 2**64.
    """
    # torch.manual_seed takes down a traceback, for half a millisecond, where CUDA does not run.
    torch.default_generator.manual_seed(seed)
    if torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        torch.cuda.manual_seed_all(seed)
    random.seed(seed)
    numpy.random.seed(seed % 2**32)


def like(own: torch.dtype, dtype: torch.dtype) -> torch.dtype:
    """What a value of dtype `own` becomes where floating ones become `dtype`.

    Complex ones become complex ones of that width, complex64 where that is 16 bits: there are
    none or hardly any operators for them. Integers and booleans stay.
    """
    if own.is_complex:
        return torch.complex128 if dtype is torch.float64 else torch.complex64
    return dtype if own.is_floating_point else own


def in_dtype(model: nn.Module, dtype: torch.dtype) -> nn.Module:
    """Turn a model's floating parameters and buffers into dtype, in place, as `like` says.

    Unlike `model.to(dtype)`, which drops the imaginary parts of complex ones.
    """
    model._apply(lambda t: t.to(like(t.dtype, dtype)))  # type: ignore[no-untyped-call]
    return model


def cores() -> tuple[list[int], list[int]]:
    """The judge's own cores while it is the clock, and those that are left to whom it times.

    On one core they share it.
    """
    all_cores = sorted(os.sched_getaffinity(0))
    return all_cores[:1], all_cores[1:] or all_cores


def kernel_threads() -> int:
    """How many threads kernels and baselines have on a CPU."""
    return min(torch.get_num_threads(), len(cores()[1]))


@contextlib.contextmanager
def on_cores(cores: Sequence[int]) -> Iterator[None]:
    """With this thread on these cores, and torch using as many threads."""
    before, threads = os.sched_getaffinity(0), torch.get_num_threads()
    os.sched_setaffinity(0, cores)
    torch.set_num_threads(len(cores))
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
        torch.set_num_threads(threads)


def forward(model: nn.Module, inputs: Sequence[Any], seed: int) -> Any:
    """One call as the harness makes all of them: no gradients, a known random state."""
    reseed(seed)
    with torch.no_grad():
        return model(*inputs)


def write_floor_us(device: torch.device, nbytes: int) -> float | None:
    """The least that writing so many bytes to a GPU's memory takes, in microseconds: those that its
    L2 cache cannot keep, at the bandwidth that its memory has by the driver's word (two transfers
    in each cycle of its clock, as data sheets count). None on a CPU, and where the driver does not
    say.
    """
    if device.type == "cpu":
        return None
    properties = torch.cuda.get_device_properties(device)
    kilohertz = getattr(properties, "memory_clock_rate", 0)
    bits = getattr(properties, "memory_bus_width", 0)
    bytes_per_us = 2 * kilohertz * 1e-3 * bits / 8
    beyond = max(0, nbytes - properties.L2_cache_size)
    return beyond / bytes_per_us if bytes_per_us else None


def release(device: torch.device) -> None:
    """Give memory that nothing holds any more back to the device, for other processes."""
    if device.type == "cuda":
        torch.cuda.empty_cache()
