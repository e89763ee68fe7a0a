#pragma once
#include <c10/cuda/CUDAFunctions.h>

namespace c10::cuda {
using lean::CUDAStream;
using lean::getCurrentCUDAStream;
}  // namespace c10::cuda
