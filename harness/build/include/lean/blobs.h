// Tensors of values at hand: from_blob over memory of the source's own, torch::tensor of numbers.
#pragma once
#include <lean/tensor.h>

extern "C" int32_t aoti_torch_create_tensor_from_blob(void* data, int64_t dims,
                                                      const int64_t* sizes,
                                                      const int64_t* strides, int64_t offset,
                                                      int32_t dtype, int32_t device_type,
                                                      int32_t device_index, lean::Handle*);

namespace at {
inline Tensor from_blob(void* data, IntArrayRef sizes, IntArrayRef strides,
                        const TensorOptions& o = {}) {
  TORCH_CHECK(sizes.size() == strides.size(), "from_blob: ", sizes.size(), " sizes and ",
              strides.size(), " strides");
  lean::Handle handle = nullptr;
  const int32_t failed = aoti_torch_create_tensor_from_blob(
      data, static_cast<int64_t>(sizes.size()), sizes.data(), strides.data(), 0,
      static_cast<int32_t>(o.dtype().toScalarType()), static_cast<int32_t>(o.device().type()),
      o.device().index(), &handle);
  TORCH_CHECK(!failed, "from_blob: no tensor could be made of that memory");
  return lean::finish(Tensor::owning(handle), o);
}
inline Tensor from_blob(void* data, IntArrayRef sizes, const TensorOptions& o = {}) {
  int64_t* strides = new int64_t[sizes.size() + 1];
  int64_t step = 1;
  for (size_t i = sizes.size(); i-- > 0; step *= sizes[i]) strides[i] = step;
  struct Freed {
    int64_t* memory;
    ~Freed() { delete[] memory; }
  } freed{strides};
  return from_blob(data, sizes, IntArrayRef(strides, sizes.size()), o);
}
}  // namespace at

namespace lean {
template <class T>
Tensor of_values(const T* values, IntArrayRef sizes, const TensorOptions& o) {
  const ScalarType own = Element<T>::scalar_type;
  const bool whole = static_cast<T>(0.5) == static_cast<T>(0) || own == ScalarType::Bool;
  Tensor result = at::empty(sizes, TensorOptions(own));
  T* to = result.data_ptr<T>();
  for (int64_t i = 0; i < result.numel(); i++) to[i] = values[i];
  const ScalarType type = o.has_dtype()             ? o.dtype().toScalarType()
                          : own == ScalarType::Bool ? own
                          : whole                   ? ScalarType::Long
                                                    : default_dtype();
  return finish(result.to(o.dtype(type)), o);
}
}  // namespace lean

namespace torch {
template <class T, class = typename lean::Element<T>::type>
at::Tensor tensor(T value, const at::TensorOptions& o = {}) {
  return lean::of_values(&value, {}, o);
}
template <class T, class = typename lean::Element<T>::type>
at::Tensor tensor(const std::initializer_list<T>& values, const at::TensorOptions& o = {}) {
  return lean::of_values(values.begin(), static_cast<int64_t>(values.size()), o);
}
template <class T>
at::Tensor tensor(at::ArrayRef<T> values, const at::TensorOptions& o = {}) {
  return lean::of_values(values.data(), static_cast<int64_t>(values.size()), o);
}
#ifdef LEAN_VECTOR
template <class T>
at::Tensor tensor(const std::vector<T>& values, const at::TensorOptions& o = {}) {
  return lean::of_values(values.data(), static_cast<int64_t>(values.size()), o);
}
#endif
}  // namespace torch
