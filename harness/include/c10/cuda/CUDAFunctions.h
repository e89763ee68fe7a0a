#pragma once
#include <c10/cuda/CUDAException.h>

namespace c10::cuda {
inline DeviceIndex current_device() { return lean::cuda_current_device(); }
inline DeviceIndex device_count() noexcept { return lean::cuda_device_count(); }
inline void device_synchronize() { lean::cuda_device_synchronize(); }
}  // namespace c10::cuda
