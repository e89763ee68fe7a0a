#pragma once
#include <c10/cuda/CUDAFunctions.h>

namespace c10::cuda {
using lean::CUDAStream;
inline CUDAStream getCurrentCUDAStream(DeviceIndex device = -1) { return CUDAStream(device); }
}  // namespace c10::cuda
