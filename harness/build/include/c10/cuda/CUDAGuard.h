#pragma once
#include <c10/cuda/CUDAStream.h>

namespace c10::cuda {
using lean::CUDAGuard;
using lean::CUDAStreamGuard;
using lean::OptionalCUDAGuard;
}  // namespace c10::cuda
