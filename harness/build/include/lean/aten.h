// What ATen/ATen.h brings.
#pragma once
#include <lean/dispatch.h>
#include <lean/tensor.h>
#ifdef LEAN_IRANGE
#include <c10/util/irange.h>  // the real one
#endif

namespace at::internal {
constexpr int64_t GRAIN_SIZE = 32768;  // of elements: what a thread is worth
}
