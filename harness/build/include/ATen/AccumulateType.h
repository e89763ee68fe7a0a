#pragma once
#include <lean/core.h>

namespace at {
template <class T, bool is_cuda>
struct AccumulateType;
template <class T, bool is_cuda>
using acc_type = typename AccumulateType<T, is_cuda>::type;
#define LEAN_ACCUMULATE(T, is_cuda, wide)  \
  template <>                              \
  struct AccumulateType<T, is_cuda> {      \
    using type = wide;                     \
  };
LEAN_ACCUMULATE(c10::Half, true, float)
LEAN_ACCUMULATE(c10::BFloat16, true, float)
LEAN_ACCUMULATE(float, true, float)
LEAN_ACCUMULATE(double, true, double)
LEAN_ACCUMULATE(char, true, int64_t)
LEAN_ACCUMULATE(int8_t, true, int64_t)
LEAN_ACCUMULATE(uint8_t, true, int64_t)
LEAN_ACCUMULATE(int16_t, true, int64_t)
LEAN_ACCUMULATE(int32_t, true, int64_t)
LEAN_ACCUMULATE(int64_t, true, int64_t)
LEAN_ACCUMULATE(bool, true, bool)
LEAN_ACCUMULATE(c10::Half, false, float)
LEAN_ACCUMULATE(c10::BFloat16, false, float)
LEAN_ACCUMULATE(float, false, double)
LEAN_ACCUMULATE(double, false, double)
LEAN_ACCUMULATE(char, false, int64_t)
LEAN_ACCUMULATE(int8_t, false, int64_t)
LEAN_ACCUMULATE(uint8_t, false, int64_t)
LEAN_ACCUMULATE(int16_t, false, int64_t)
LEAN_ACCUMULATE(int32_t, false, int64_t)
LEAN_ACCUMULATE(int64_t, false, int64_t)
LEAN_ACCUMULATE(bool, false, bool)
#undef LEAN_ACCUMULATE
}  // namespace at
