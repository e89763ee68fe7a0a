#pragma once
#include <lean/tensor.h>

#include <cuda.h>
#include <cuda_fp16.h>
#include <cuda_runtime.h>

namespace lean {
template <>
struct DataOf<__half> {
  using type = __half;
  using stored = c10::Half;
};
}  // namespace lean
