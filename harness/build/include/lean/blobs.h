// Tensors of values at hand: from_blob over memory of the source's own, torch::tensor of numbers.
#pragma once
#include <lean/tensor.h>

extern "C" int32_t aoti_torch_create_tensor_from_blob(void* data, int64_t dims,
                                                      const int64_t* sizes,
                                                      const int64_t* strides, int64_t offset,
                                                      int32_t dtype, int32_t device_type,
                                                      int32_t device_index, lean::Handle*);
extern "C" int32_t torch_from_blob(void* data, int64_t dims, const int64_t* sizes,
                                   const int64_t* strides, int64_t offset, int32_t dtype,
                                   int32_t device_type, int32_t device_index, lean::Handle*,
                                   int32_t layout, const uint8_t* metadata, int64_t metadata_size,
                                   void (*deleter)(void* data, void* context), void* context);

namespace lean {
// The strides of a contiguous tensor.
class Strides {
 public:
  explicit Strides(IntArrayRef sizes) : all_(new int64_t[sizes.size() + 1]), size_(sizes.size()) {
    int64_t step = 1;
    for (size_t i = size_; i-- > 0; step *= sizes[i]) all_[i] = step;
  }
  Strides(const Strides&) = delete;
  ~Strides() { delete[] all_; }
  IntArrayRef list() const { return {all_, size_}; }

 private:
  int64_t* all_;
  size_t size_;
};
}  // namespace lean

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
  return from_blob(data, sizes, lean::Strides(sizes).list(), o);
}
// With what is called when the tensor is gone.
template <class F, class = decltype((*static_cast<F*>(nullptr))(static_cast<void*>(nullptr)))>
Tensor from_blob(void* data, IntArrayRef sizes, IntArrayRef strides, const F& deleter,
                 const TensorOptions& o = {}) {
  TORCH_CHECK(sizes.size() == strides.size(), "from_blob: ", sizes.size(), " sizes and ",
              strides.size(), " strides");
  lean::Handle handle = nullptr;
  const int32_t failed = torch_from_blob(
      data, static_cast<int64_t>(sizes.size()), sizes.data(), strides.data(), 0,
      static_cast<int32_t>(o.dtype().toScalarType()), static_cast<int32_t>(o.device().type()),
      o.device().index(), &handle, static_cast<int32_t>(o.layout()), nullptr, 0,
      [](void* memory, void* context) {
        F* free = static_cast<F*>(context);
        (*free)(memory);
        delete free;
      },
      new F(deleter));
  TORCH_CHECK(!failed, "from_blob: no tensor could be made of that memory");
  return lean::finish(Tensor::owning(handle), o);
}
template <class F, class = decltype((*static_cast<F*>(nullptr))(static_cast<void*>(nullptr)))>
Tensor from_blob(void* data, IntArrayRef sizes, const F& deleter, const TensorOptions& o = {}) {
  return from_blob(data, sizes, lean::Strides(sizes).list(), deleter, o);
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
