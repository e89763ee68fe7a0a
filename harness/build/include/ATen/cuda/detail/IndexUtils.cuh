#pragma once
#include <lean/tensor.h>

#include <tuple>

#include <ATen/native/CanUse32BitIndexMath.h>
#include <ATen/cuda/detail/TensorInfo.cuh>  // the real one, whose layout kernels see

namespace at::cuda::detail {
using at::native::canUse32BitIndexMath;
template <class scalar, class IndexType>
TensorInfo<scalar, IndexType> getTensorInfo(const Tensor& t) {
  IndexType sizes[MAX_TENSORINFO_DIMS], strides[MAX_TENSORINFO_DIMS];
  const int dims = static_cast<int>(t.dim());
  for (int i = 0; i < dims; i++) {
    sizes[i] = static_cast<IndexType>(t.size(i));
    strides[i] = static_cast<IndexType>(t.stride(i));
  }
  if constexpr (::lean::SameType<scalar, const scalar>::value)
    return {t.const_data_ptr<typename ::lean::Unqualified<scalar>::type>(), dims, sizes, strides};
  else
    return {t.mutable_data_ptr<scalar>(), dims, sizes, strides};
}
}  // namespace at::cuda::detail
