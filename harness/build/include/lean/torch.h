// namespace torch, as torch/types.h opens it over namespace at.
#pragma once
#include <lean/aten.h>

namespace torch {
using namespace at;
#ifdef LEAN_OPTIONAL
using std::nullopt;
using std::optional;
#endif
using Dtype = at::ScalarType;
constexpr auto kUInt8 = at::kByte, kInt8 = at::kChar, kInt16 = at::kShort, kInt32 = at::kInt,
               kInt64 = at::kLong, kFloat16 = at::kHalf, kFloat32 = at::kFloat,
               kFloat64 = at::kDouble, kU8 = kUInt8, kI8 = kInt8, kI16 = kInt16, kI32 = kInt32,
               kI64 = kInt64, kF16 = kFloat16, kF32 = kFloat32, kF64 = kFloat64;
}  // namespace torch
#ifdef LEAN_LIBRARY
#include <lean/library.h>
#endif
#ifdef LEAN_REGISTRY
#include <lean/registry.h>
#endif
