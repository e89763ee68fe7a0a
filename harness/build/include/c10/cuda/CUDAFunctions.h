#pragma once
#include <c10/cuda/CUDAException.h>

// libc10_cuda's own, under their own names. Declared, never defined: a definition of ours would have
// the same mangled name as the function that it means to call, and so would call itself.
namespace c10::cuda {
DeviceIndex current_device();
DeviceIndex device_count() noexcept;
void device_synchronize();
cudaError_t MaybeSetDevice(DeviceIndex device);
DeviceIndex ExchangeDevice(DeviceIndex device);
DeviceIndex MaybeExchangeDevice(DeviceIndex device);
}  // namespace c10::cuda
