// TensorOptions: what a factory is told of the tensor to make.
#pragma once
#include <lean/types.h>

namespace lean {

ScalarType default_dtype() LEAN_SYMBOL("_ZN3c1031get_default_dtype_as_scalartypeEv");

class TensorOptions {
 public:
  TensorOptions() = default;
  TensorOptions(ScalarType t) { dtype_ = t; }
  TensorOptions(TypeMeta t) { dtype_ = t.toScalarType(); }
  TensorOptions(Device d) { device_ = d; }
  TensorOptions(DeviceType d) { device_ = Device(d); }
  TensorOptions(Layout l) { layout_ = l; }
  explicit TensorOptions(MemoryFormat m) { memory_format_ = m; }

  [[nodiscard]] TensorOptions dtype(ScalarType t) const { return with(&TensorOptions::dtype_, t); }
  [[nodiscard]] TensorOptions dtype(TypeMeta t) const { return dtype(t.toScalarType()); }
  [[nodiscard]] TensorOptions device(Device d) const { return with(&TensorOptions::device_, d); }
  [[nodiscard]] TensorOptions device(DeviceType t, DeviceIndex i = -1) const {
    return device(Device(t, i));
  }
  [[nodiscard]] TensorOptions device_index(int16_t i) const noexcept {
    return device(Device(DeviceType::CUDA, static_cast<DeviceIndex>(i)));
  }
  [[nodiscard]] TensorOptions layout(Layout l) const { return with(&TensorOptions::layout_, l); }
  [[nodiscard]] TensorOptions requires_grad(bool on) const {
    return with(&TensorOptions::requires_grad_, on);
  }
  [[nodiscard]] TensorOptions pinned_memory(bool on) const {
    return with(&TensorOptions::pinned_, on);
  }
  [[nodiscard]] TensorOptions memory_format(MemoryFormat m) const {
    return with(&TensorOptions::memory_format_, m);
  }
  bool has_dtype() const { return dtype_.present; }
  bool has_device() const { return device_.present; }
  bool has_layout() const { return layout_.present; }
  bool has_requires_grad() const { return requires_grad_.present; }
  bool has_pinned_memory() const { return pinned_.present; }
  bool has_memory_format() const { return memory_format_.present; }
  TypeMeta dtype() const { return TypeMeta(dtype_.present ? dtype_.value : default_dtype()); }
  Device device() const { return device_.present ? device_.value : Device(DeviceType::CPU); }
  DeviceIndex device_index() const { return device().index(); }
  Layout layout() const { return layout_.present ? layout_.value : Layout::Strided; }
  bool requires_grad() const { return requires_grad_.present && requires_grad_.value; }
  bool pinned_memory() const { return pinned_.present && pinned_.value; }

  const Maybe<ScalarType>& dtype_opt_() const { return dtype_; }
  const Maybe<Layout>& layout_opt_() const { return layout_; }
  const Maybe<Device>& device_opt_() const { return device_; }
  const Maybe<bool>& pinned_opt_() const { return pinned_; }
  const Maybe<MemoryFormat>& memory_format_opt_() const { return memory_format_; }

 private:
  template <class T>
  TensorOptions with(Maybe<T> TensorOptions::*field, T value) const {
    TensorOptions copy = *this;
    copy.*field = Maybe<T>(value);
    return copy;
  }
  Maybe<ScalarType> dtype_;
  Maybe<Layout> layout_;
  Maybe<Device> device_{};
  Maybe<bool> pinned_;
  Maybe<bool> requires_grad_;
  Maybe<MemoryFormat> memory_format_;
};

inline TensorOptions dtype(ScalarType t) { return TensorOptions(t); }
inline TensorOptions dtype(TypeMeta t) { return TensorOptions(t); }
inline TensorOptions device(Device d) { return TensorOptions(d); }
inline TensorOptions layout(Layout l) { return TensorOptions(l); }
inline TensorOptions requires_grad(bool on = true) { return TensorOptions().requires_grad(on); }

}  // namespace lean
