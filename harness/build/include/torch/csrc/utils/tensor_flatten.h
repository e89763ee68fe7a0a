#pragma once
#include <ATen/ATen.h>

namespace torch::utils {
#ifdef LEAN_FLATTEN
inline at::Tensor flatten_dense_tensors(at::TensorList tensors) {
  return at::flatten_dense_tensors(tensors);
}
#endif
#ifdef LEAN_UNFLATTEN
inline std::vector<at::Tensor> unflatten_dense_tensors(const at::Tensor& flat,
                                                       at::TensorList tensors) {
  return at::unflatten_dense_tensors(flat, tensors);
}
#endif
}  // namespace torch::utils
