"""Memory that judge and worker share: made by the one, mapped by the other, seen by both as bytes.

On a CPU it is a sealed memfd. On a GPU it is made by the driver's `cuMemCreate`, which exports it
as a file descriptor. That works where CUDA's older IPC does not: between users, and from inside
a sandbox.
"""

from __future__ import annotations

import ctypes
import functools
import mmap
import os
from contextlib import ExitStack
from typing import Any

import torch
from torch import Tensor

from harness.exchange.page import seal

_FD_HANDLE = 1
"""CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR"""
_ON_DEVICE = 1
"""CU_MEM_ALLOCATION_TYPE_PINNED and CU_MEM_LOCATION_TYPE_DEVICE"""
_READ_WRITE = 3
"""CU_MEM_ACCESS_FLAGS_PROT_READWRITE"""
_OUT_OF_MEMORY = 2
_WAIT_UNTIL_EQUAL = 1
"""CU_STREAM_WAIT_VALUE_EQ"""
WORD_BYTES = 4
"""What `write` writes and `hold` waits for."""


class Arena:
    """A mapping of shared memory.

    `memory` is its bytes, a tensor on `device` that must not outlive it.
    """

    def __init__(self, device: torch.device, nbytes: int, descriptor: int | None = None) -> None:
        """descriptor: of memory that the other side made; else it is made here, zeroed.

        The arena keeps the descriptor and closes it. Raises MemoryError, or OSError.
        """
        kind: type[_HostMemory] | type[_DeviceMemory]
        kind = _DeviceMemory if device.type == "cuda" else _HostMemory
        self._mapped = kind(device, max(nbytes, 1), descriptor)
        self.descriptor = self._mapped.descriptor
        self.memory: Tensor = self._mapped.memory

    def write(self, place: int, word: int) -> None:
        """Write a number of 32 bits there (on a GPU, when the current stream gets to it)."""
        self.memory[place : place + WORD_BYTES].view(torch.int32).fill_(word)

    def hold(self, place: int, word: int) -> bool:
        """Have what the current stream is asked for from now on wait until that word is there.

        False where nothing can be held: on a CPU, and if the driver has no such thing.
        """
        if not self.memory.is_cuda:
            return False
        stream = torch.cuda.current_stream(self.memory.device).cuda_stream
        address = self.memory.data_ptr() + place
        result = _driver().cuStreamWaitValue32_v2(
            ctypes.c_void_p(stream), ctypes.c_ulonglong(address), ctypes.c_uint(word),
            ctypes.c_uint(_WAIT_UNTIL_EQUAL),
        )  # fmt: skip
        return bool(result == 0)

    def synchronize(self) -> None:
        """Wait for the current stream."""
        if self.memory.is_cuda:
            torch.cuda.current_stream(self.memory.device).synchronize()

    def rest(self) -> None:
        """Have it count as the other side's memory alone until it is looked at again, which then
        takes longer (on a CPU)."""
        self._mapped.rest()

    def close(self) -> None:
        """Unmap it. Tensors in it are dead from now on."""
        del self.memory
        self._mapped.close()


class _HostMemory:
    def __init__(self, device: torch.device, nbytes: int, descriptor: int | None) -> None:
        made = descriptor is None
        if descriptor is None:
            descriptor = os.memfd_create("bench-arena", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        try:
            if made:
                os.ftruncate(descriptor, nbytes)
                seal(descriptor)
            self._map = mmap.mmap(descriptor, nbytes)
        except OSError as error:
            os.close(descriptor)
            raise MemoryError(f"no {nbytes:,} bytes of shared memory: {error}") from error
        self.descriptor = descriptor
        self.memory = torch.frombuffer(self._map, dtype=torch.uint8)

    def rest(self) -> None:
        self._map.madvise(mmap.MADV_DONTNEED)

    def close(self) -> None:
        del self.memory, self._map  # unmapped once no tensor has it
        os.close(self.descriptor)


class _DeviceMemory:
    def __init__(self, device: torch.device, nbytes: int, descriptor: int | None) -> None:
        with ExitStack() as undo:
            if descriptor is not None:
                undo.callback(os.close, descriptor)
            torch.cuda.init()  # type: ignore[no-untyped-call]
            index = torch.cuda.current_device() if device.index is None else device.index
            torch.empty(1, device=device)  # makes the device's context the current one
            self.descriptor, address = _map(index, nbytes, descriptor, undo)
            self.memory = torch.as_tensor(_Bytes(address, nbytes), device=f"cuda:{index}")
            if descriptor is None:
                self.memory.zero_()
            self._undo = undo.pop_all()

    def rest(self) -> None:
        pass

    def close(self) -> None:
        del self.memory
        with self._undo:
            torch.cuda.synchronize()


def _map(index: int, nbytes: int, descriptor: int | None, undo: ExitStack) -> tuple[int, int]:
    """Map the memory of a descriptor, or new one: its descriptor and its address.

    undo: takes whatever gives it back, also where this fails; it has that of `descriptor`.
    """
    properties, granularity = _properties(index), ctypes.c_size_t()
    _call("cuMemGetAllocationGranularity", ctypes.byref(granularity), ctypes.byref(properties), 0)
    size = ctypes.c_size_t(-(-nbytes // granularity.value) * granularity.value)
    handle, address, zero = ctypes.c_ulonglong(), ctypes.c_ulonglong(), ctypes.c_ulonglong(0)
    with ExitStack() as when_mapped:  # for the mapping keeps what the handle stands for
        if descriptor is None:
            _call("cuMemCreate", ctypes.byref(handle), size, ctypes.byref(properties), zero)
            when_mapped.callback(_call, "cuMemRelease", handle)
            made = ctypes.c_int()
            _call("cuMemExportToShareableHandle", ctypes.byref(made), handle, _FD_HANDLE, zero)
            descriptor = made.value
            undo.callback(os.close, descriptor)
        else:
            _call("cuMemImportFromShareableHandle", ctypes.byref(handle),
                  ctypes.c_void_p(descriptor), _FD_HANDLE)  # fmt: skip
            when_mapped.callback(_call, "cuMemRelease", handle)
        none = ctypes.c_size_t(0)
        _call("cuMemAddressReserve", ctypes.byref(address), size, none, zero, zero)
        undo.callback(_call, "cuMemAddressFree", address, size)
        _call("cuMemMap", address, size, none, handle, zero)
        undo.callback(_call, "cuMemUnmap", address, size)
        access = _Access(_Location(_ON_DEVICE, index), _READ_WRITE)
        _call("cuMemSetAccess", address, size, ctypes.byref(access), ctypes.c_size_t(1))
    return descriptor, address.value


class _Bytes:
    """Device memory as torch takes it in."""

    def __init__(self, address: int, nbytes: int) -> None:
        self.__cuda_array_interface__ = {
            "shape": (nbytes,), "typestr": "|u1", "data": (address, False), "version": 3,
        }  # fmt: skip


class _Location(ctypes.Structure):
    _fields_ = (("type", ctypes.c_int), ("id", ctypes.c_int))


class _Properties(ctypes.Structure):
    """CUmemAllocationProp of the driver's cuda.h."""

    _fields_ = (
        ("type", ctypes.c_int),
        ("handle_types", ctypes.c_int),
        ("location", _Location),
        ("security", ctypes.c_void_p),
        ("flags", ctypes.c_ubyte * 8),
    )


class _Access(ctypes.Structure):
    _fields_ = (("location", _Location), ("flags", ctypes.c_int))


def _properties(index: int) -> _Properties:
    return _Properties(
        type=_ON_DEVICE, handle_types=_FD_HANDLE, location=_Location(_ON_DEVICE, index)
    )


@functools.cache
def _driver() -> Any:
    return ctypes.CDLL("libcuda.so.1")


def _call(function: str, *arguments: Any) -> None:
    result = getattr(_driver(), function)(*arguments)
    if result == _OUT_OF_MEMORY:
        raise MemoryError(f"{function}: the device has no such memory free")
    if result:
        raise OSError(f"{function}: CUDA error {result}")
