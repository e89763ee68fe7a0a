// at::Tensor and the functions that make one, over libtorch's exported functions.
#pragma once
#include <lean/check.h>

namespace lean {

class Tensor;

// A std::optional<at::Tensor> for the length of a call: it borrows the tensor and destroys nothing.
struct BorrowedOptional {
  const void* impl = nullptr;
  bool present = false;
};
// c10::SymInt is passed by address, and a plain non-negative number is its own representation.
using SymInt = const int64_t&;

// The functions behind at::Tensor's methods and at::'s free functions.
namespace op {
using Type = Maybe<ScalarType>;
using Place = Maybe<Device>;
using Shape = Maybe<Layout>;
using Pin = Maybe<bool>;
using Format = Maybe<MemoryFormat>;
#define LEAN_LIST "N3c108ArrayRefINS5_6SymIntEEE"
#define LEAN_OPTIONS "St8optionalIN3c1010ScalarTypeEES5_INS6_6LayoutEES5_INS6_6DeviceEES5_IbE"
#define LEAN_LIST_OPTIONS                                                                        \
  "N3c108ArrayRefINS2_6SymIntEEESt8optionalINS2_10ScalarTypeEES6_INS2_6LayoutEES6_INS2_6Device" \
  "EES6_IbE"

#define LEAN_FACTORY(name, length)                              \
  Returned name(IntArrayRef, Type, Shape, Place, Pin) LEAN_SYMBOL( \
      "_ZN2at4_ops" length "4callE" LEAN_LIST_OPTIONS);
LEAN_FACTORY(zeros, "5zeros")
LEAN_FACTORY(ones, "4ones")
LEAN_FACTORY(rand, "4rand")
LEAN_FACTORY(randn, "5randn")
#undef LEAN_FACTORY
Returned empty(IntArrayRef, Type, Shape, Place, Pin, Format) LEAN_SYMBOL(
    "_ZN2at4_ops19empty_memory_format4callE" LEAN_LIST_OPTIONS "S6_INS2_12MemoryFormatEE");
Returned empty_strided(IntArrayRef, IntArrayRef, Type, Shape, Place, Pin) LEAN_SYMBOL(
    "_ZN2at4_ops13empty_strided4callEN3c108ArrayRefINS2_6SymIntEEES5_St8optionalINS2_10ScalarType"
    "EES6_INS2_6LayoutEES6_INS2_6DeviceEES6_IbE");
Returned full(IntArrayRef, const Scalar&, Type, Shape, Place, Pin) LEAN_SYMBOL(
    "_ZN2at4_ops4full4callEN3c108ArrayRefINS2_6SymIntEEERKNS2_6ScalarESt8optionalINS2_10ScalarType"
    "EES9_INS2_6LayoutEES9_INS2_6DeviceEES9_IbE");
Returned arange(const Scalar&, Type, Shape, Place, Pin) LEAN_SYMBOL(
    "_ZN2at4_ops6arange4callERKN3c106ScalarESt8optionalINS2_10ScalarTypeEES6_INS2_6LayoutEES6_INS2_"
    "6DeviceEES6_IbE");

#define LEAN_LIKE(name, length)                                             \
  Returned name(Handle, Type, Shape, Place, Pin, Format) LEAN_SYMBOL(       \
      "_ZN2at4_ops" length "4callERKNS_6TensorE" LEAN_OPTIONS "S5_INS6_12MemoryFormatEE");
LEAN_LIKE(empty_like, "10empty_like")
LEAN_LIKE(zeros_like, "10zeros_like")
LEAN_LIKE(ones_like, "9ones_like")
LEAN_LIKE(rand_like, "9rand_like")
LEAN_LIKE(randn_like, "10randn_like")
#undef LEAN_LIKE
Returned full_like(Handle, const Scalar&, Type, Shape, Place, Pin, Format) LEAN_SYMBOL(
    "_ZN2at4_ops9full_like4callERKNS_6TensorERKN3c106ScalarESt8optionalINS5_10ScalarTypeEES9_INS5_6"
    "LayoutEES9_INS5_6DeviceEES9_IbES9_INS5_12MemoryFormatEE");

#define LEAN_UNARY(name, length) \
  Returned name(Handle) LEAN_SYMBOL("_ZN2at4_ops" length "4callERKNS_6TensorE");
LEAN_UNARY(t, "1t")
LEAN_UNARY(squeeze, "7squeeze")
LEAN_UNARY(detach, "6detach")
LEAN_UNARY(max, "3max")
LEAN_UNARY(min, "3min")
LEAN_UNARY(neg, "3neg")
LEAN_UNARY(sigmoid, "7sigmoid")
LEAN_UNARY(tanh, "4tanh")
LEAN_UNARY(relu, "4relu")
LEAN_UNARY(exp, "3exp")
LEAN_UNARY(log, "3log")
LEAN_UNARY(sqrt, "4sqrt")
LEAN_UNARY(rsqrt, "5rsqrt")
LEAN_UNARY(abs, "3abs")
#undef LEAN_UNARY
#define LEAN_BINARY(name, length) \
  Returned name(Handle, Handle) LEAN_SYMBOL("_ZN2at4_ops" length "4callERKNS_6TensorES4_");
LEAN_BINARY(matmul, "6matmul")
LEAN_BINARY(mm, "2mm")
LEAN_BINARY(bmm, "3bmm")
LEAN_BINARY(mv, "2mv")
LEAN_BINARY(dot, "3dot")
LEAN_BINARY(mul, "10mul_Tensor")
LEAN_BINARY(div, "10div_Tensor")
#undef LEAN_BINARY
Returned add(Handle, Handle, const Scalar&)
    LEAN_SYMBOL("_ZN2at4_ops10add_Tensor4callERKNS_6TensorES4_RKN3c106ScalarE");
Returned sub(Handle, Handle, const Scalar&)
    LEAN_SYMBOL("_ZN2at4_ops10sub_Tensor4callERKNS_6TensorES4_RKN3c106ScalarE");
Returned add_scalar(Handle, const Scalar&, const Scalar&)
    LEAN_SYMBOL("_ZN2at4_ops10add_Scalar4callERKNS_6TensorERKN3c106ScalarES8_");
Returned sub_scalar(Handle, const Scalar&, const Scalar&)
    LEAN_SYMBOL("_ZN2at4_ops10sub_Scalar4callERKNS_6TensorERKN3c106ScalarES8_");
Returned mul_scalar(Handle, const Scalar&)
    LEAN_SYMBOL("_ZN2at4_ops10mul_Scalar4callERKNS_6TensorERKN3c106ScalarE");
Returned div_scalar(Handle, const Scalar&)
    LEAN_SYMBOL("_ZN2at4_ops10div_Scalar4callERKNS_6TensorERKN3c106ScalarE");
Returned pow_scalar(Handle, const Scalar&)
    LEAN_SYMBOL("_ZN2at4_ops17pow_Tensor_Scalar4callERKNS_6TensorERKN3c106ScalarE");
Returned addmm(Handle, Handle, Handle, const Scalar&, const Scalar&)
    LEAN_SYMBOL("_ZN2at4_ops5addmm4callERKNS_6TensorES4_S4_RKN3c106ScalarES8_");
Returned linear(Handle, Handle, const BorrowedOptional&)
    LEAN_SYMBOL("_ZN2at4_ops6linear4callERKNS_6TensorES4_RKSt8optionalIS2_E");
Returned conv2d(Handle, Handle, const BorrowedOptional&, IntArrayRef, IntArrayRef, IntArrayRef,
                SymInt)
    LEAN_SYMBOL("_ZN2at4_ops6conv2d4callERKNS_6TensorES4_RKSt8optionalIS2_EN3c108ArrayRefINS9_6Sym"
                "IntEEESC_SC_SB_");

Returned view(Handle, IntArrayRef) LEAN_SYMBOL("_ZN2at4_ops4view4callERKNS_6TensorE" LEAN_LIST);
Returned reshape(Handle, IntArrayRef)
    LEAN_SYMBOL("_ZN2at4_ops7reshape4callERKNS_6TensorE" LEAN_LIST);
Returned expand(Handle, IntArrayRef, bool)
    LEAN_SYMBOL("_ZN2at4_ops6expand4callERKNS_6TensorE" LEAN_LIST "b");
Returned clone(Handle, Format)
    LEAN_SYMBOL("_ZN2at4_ops5clone4callERKNS_6TensorESt8optionalIN3c1012MemoryFormatEE");
Returned contiguous(Handle, MemoryFormat)
    LEAN_SYMBOL("_ZN2at4_ops10contiguous4callERKNS_6TensorEN3c1012MemoryFormatE");
Returned transpose(Handle, int64_t, int64_t)
    LEAN_SYMBOL("_ZN2at4_ops13transpose_int4callERKNS_6TensorEll");
Returned flatten(Handle, int64_t, int64_t)
    LEAN_SYMBOL("_ZN2at4_ops18flatten_using_ints4callERKNS_6TensorEll");
Returned permute(Handle, IntArrayRef)
    LEAN_SYMBOL("_ZN2at4_ops7permute4callERKNS_6TensorEN3c108ArrayRefIlEE");
Returned unsqueeze(Handle, int64_t) LEAN_SYMBOL("_ZN2at4_ops9unsqueeze4callERKNS_6TensorEl");
Returned squeeze_dim(Handle, int64_t) LEAN_SYMBOL("_ZN2at4_ops11squeeze_dim4callERKNS_6TensorEl");
Returned select(Handle, int64_t, SymInt)
    LEAN_SYMBOL("_ZN2at4_ops10select_int4callERKNS_6TensorElN3c106SymIntE");
Returned narrow(Handle, int64_t, SymInt, SymInt)
    LEAN_SYMBOL("_ZN2at4_ops6narrow4callERKNS_6TensorElN3c106SymIntES6_");
Returned sum(Handle, Type)
    LEAN_SYMBOL("_ZN2at4_ops3sum4callERKNS_6TensorESt8optionalIN3c1010ScalarTypeEE");
Returned mean(Handle, Type)
    LEAN_SYMBOL("_ZN2at4_ops4mean4callERKNS_6TensorESt8optionalIN3c1010ScalarTypeEE");
Returned sum_dim(Handle, Maybe<IntArrayRef>, bool, Type)
    LEAN_SYMBOL("_ZN2at4_ops15sum_dim_IntList4callERKNS_6TensorEN3c1016OptionalArrayRefIlEEbSt8opt"
                "ionalINS5_10ScalarTypeEE");
Returned mean_dim(Handle, Maybe<IntArrayRef>, bool, Type)
    LEAN_SYMBOL("_ZN2at4_ops8mean_dim4callERKNS_6TensorEN3c1016OptionalArrayRefIlEEbSt8optionalINS"
                "5_10ScalarTypeEE");
Returned amax(Handle, IntArrayRef, bool)
    LEAN_SYMBOL("_ZN2at4_ops4amax4callERKNS_6TensorEN3c108ArrayRefIlEEb");
Returned amin(Handle, IntArrayRef, bool)
    LEAN_SYMBOL("_ZN2at4_ops4amin4callERKNS_6TensorEN3c108ArrayRefIlEEb");
Returned clamp(Handle, const Maybe<Scalar>&, const Maybe<Scalar>&)
    LEAN_SYMBOL("_ZN2at4_ops5clamp4callERKNS_6TensorERKSt8optionalIN3c106ScalarEESA_");
Returned clamp_min(Handle, const Scalar&)
    LEAN_SYMBOL("_ZN2at4_ops9clamp_min4callERKNS_6TensorERKN3c106ScalarE");
Returned clamp_max(Handle, const Scalar&)
    LEAN_SYMBOL("_ZN2at4_ops9clamp_max4callERKNS_6TensorERKN3c106ScalarE");
Returned softmax(Handle, int64_t, Type)
    LEAN_SYMBOL("_ZN2at4_ops11softmax_int4callERKNS_6TensorElSt8optionalIN3c1010ScalarTypeEE");
Returned to_dtype(Handle, ScalarType, bool, bool, Format)
    LEAN_SYMBOL("_ZN2at4_ops8to_dtype4callERKNS_6TensorEN3c1010ScalarTypeEbbSt8optionalINS5_12Mem"
                "oryFormatEE");
Returned to_device(Handle, Device, ScalarType, bool, bool, Format)
    LEAN_SYMBOL("_ZN2at4_ops9to_device4callERKNS_6TensorEN3c106DeviceENS5_10ScalarTypeEbbSt8opti"
                "onalINS5_12MemoryFormatEE");
Returned to_options(Handle, Type, Shape, Place, Pin, bool, bool, Format) LEAN_SYMBOL(
    "_ZN2at4_ops15to_dtype_layout4callERKNS_6TensorE" LEAN_OPTIONS "bbS5_INS6_12MemoryFormatEE");
Returned to_other(Handle, Handle, bool, bool, Format)
    LEAN_SYMBOL("_ZN2at4_ops8to_other4callERKNS_6TensorES4_bbSt8optionalIN3c1012MemoryFormatEE");

// In place: the reference that they return is to their first argument.
void* zero_(Handle) LEAN_SYMBOL("_ZN2at4_ops5zero_4callERNS_6TensorE");
void* fill_(Handle, const Scalar&)
    LEAN_SYMBOL("_ZN2at4_ops12fill__Scalar4callERNS_6TensorERKN3c106ScalarE");
void* copy_(Handle, Handle, bool) LEAN_SYMBOL("_ZN2at4_ops5copy_4callERNS_6TensorERKS2_b");
void* add_(Handle, Handle, const Scalar&)
    LEAN_SYMBOL("_ZN2at4_ops11add__Tensor4callERNS_6TensorERKS2_RKN3c106ScalarE");
void* mul_(Handle, Handle) LEAN_SYMBOL("_ZN2at4_ops11mul__Tensor4callERNS_6TensorERKS2_");
void* add_scalar_(Handle, const Scalar&, const Scalar&)
    LEAN_SYMBOL("_ZN2at4_ops11add__Scalar4callERNS_6TensorERKN3c106ScalarES7_");
void* mul_scalar_(Handle, const Scalar&)
    LEAN_SYMBOL("_ZN2at4_ops11mul__Scalar4callERNS_6TensorERKN3c106ScalarE");
}  // namespace op

// data_ptr<T>() and item<T>() exist for exactly the types that libtorch instantiates them for.
template <class T>
struct Element;
#define LEAN_ELEMENT(T, scalar, code)                                                             \
  T* typed_data(Handle, const T*) LEAN_SYMBOL("_ZNK2at10TensorBase8data_ptrI" code "EEPT_v");     \
  T* typed_mutable_data(Handle, const T*)                                                         \
      LEAN_SYMBOL("_ZNK2at10TensorBase16mutable_data_ptrI" code "EEPT_v");                        \
  T typed_item(Handle, const T*) LEAN_SYMBOL("_ZNK2at6Tensor4itemI" code "EET_v");                \
  template <>                                                                                     \
  struct Element<T> {                                                                             \
    using type = T;                                                                               \
    static constexpr ScalarType scalar_type = ScalarType::scalar;                                 \
  };
LEAN_ELEMENT(float, Float, "f")
LEAN_ELEMENT(double, Double, "d")
LEAN_ELEMENT(int64_t, Long, "l")
LEAN_ELEMENT(int32_t, Int, "i")
LEAN_ELEMENT(int16_t, Short, "s")
LEAN_ELEMENT(int8_t, Char, "a")
LEAN_ELEMENT(uint8_t, Byte, "h")
LEAN_ELEMENT(bool, Bool, "b")
#ifdef LEAN_HALF
LEAN_ELEMENT(c10::Half, Half, "N3c104HalfE")
LEAN_ELEMENT(c10::BFloat16, BFloat16, "N3c108BFloat16E")
#endif
#undef LEAN_ELEMENT

// Dimensions by name are not ours to offer, but before torch 2.13 they make `x.sum({0, 1})` ambiguous
// (a null pointer and a length), so such a call is left to the real headers.
class Dimname {
  Dimname();
};

// What Tensor::type() returns; like the real one it is no ScalarType, so AT_DISPATCH refuses it.
class DeprecatedTypeProperties {
 public:
  DeprecatedTypeProperties(ScalarType t, bool cuda) : type_(t), cuda_(cuda) {}
  ScalarType scalarType() const { return type_; }
  bool is_cuda() const { return cuda_; }

 private:
  ScalarType type_;
  bool cuda_;
};

// What ATen functions take for a `const std::optional<Scalar>&` parameter: any number will do.
struct OptionalScalar {
  OptionalScalar() = default;
  template <class T, class = decltype(Scalar(*static_cast<const T*>(nullptr)))>
  OptionalScalar(const T& v) : value(Scalar(v)) {}
#ifdef LEAN_OPTIONAL
  OptionalScalar(std::nullopt_t) {}
  OptionalScalar(const std::optional<Scalar>& v) {
    if (v) value = Maybe<Scalar>(*v);
  }
#endif
  Maybe<Scalar> value;
};

class Tensor {
 public:
  Tensor() = default;
  Tensor(const Tensor& o) {
    if (o.handle_) aoti_torch_new_tensor_handle(o.handle_, &handle_);
  }
  Tensor(Tensor&& o) noexcept : handle_(o.handle_) { o.handle_ = nullptr; }
  Tensor& operator=(Tensor o) noexcept {
    Handle h = handle_;
    handle_ = o.handle_;
    o.handle_ = h;
    return *this;
  }
  ~Tensor() {
    if (handle_) aoti_torch_delete_tensor_object(handle_);
  }

  // Takes what `f(args...)` returns. The result is built in place in a fresh handle.
  template <class F, class... A>
  static Tensor from(F f, A... args) {
    Tensor result;
    struct Place {
      Handle memory;
      ~Place() {}  // if f throws, the sixteen bytes are lost rather than freed half-built
    } place{nullptr};
    aoti_torch_new_uninitialized_tensor(&place.memory);
    ::new (static_cast<void*>(place.memory)) Returned(f(args...));
    result.handle_ = place.memory;
    return result;
  }
  // libtorch's at::Tensor; an undefined one is made when first asked for.
  Handle handle() const {
    if (!handle_) aoti_torch_new_uninitialized_tensor(&handle_);
    return handle_;
  }

  bool defined() const {
    bool yes = false;
    if (handle_) aoti_torch_is_defined(handle_, &yes);
    return yes;
  }
  void reset() { *this = Tensor(); }
  bool is_same(const Tensor& o) const { return impl() == o.impl(); }
  int64_t dim() const { return get<int64_t>(aoti_torch_get_dim); }
  int64_t ndimension() const { return dim(); }
  int64_t numel() const { return get<int64_t>(aoti_torch_get_numel); }
  int64_t storage_offset() const { return get<int64_t>(aoti_torch_get_storage_offset); }
  IntArrayRef sizes() const {
    return {get<int64_t*>(aoti_torch_get_sizes), static_cast<size_t>(dim())};
  }
  IntArrayRef strides() const {
    return {get<int64_t*>(aoti_torch_get_strides), static_cast<size_t>(dim())};
  }
  int64_t size(int64_t d) const { return get<int64_t*>(aoti_torch_get_sizes)[wrap(d)]; }
  int64_t stride(int64_t d) const { return get<int64_t*>(aoti_torch_get_strides)[wrap(d)]; }
  ScalarType scalar_type() const {
    return static_cast<ScalarType>(get<int32_t>(aoti_torch_get_dtype));
  }
  TypeMeta dtype() const { return TypeMeta(scalar_type()); }
  Layout layout() const { return static_cast<Layout>(get<int32_t>(aoti_torch_get_layout)); }
  Device device() const {
    return Device(static_cast<DeviceType>(get<int32_t>(aoti_torch_get_device_type)),
                  static_cast<DeviceIndex>(get_device()));
  }
  int64_t get_device() const { return get<int32_t>(aoti_torch_get_device_index); }
  bool is_cuda() const {
    return get<int32_t>(aoti_torch_get_device_type) == static_cast<int32_t>(DeviceType::CUDA);
  }
  bool is_cpu() const { return get<int32_t>(aoti_torch_get_device_type) == 0; }
  bool is_contiguous() const { return get<bool>(aoti_torch_is_contiguous); }
  bool is_floating_point() const {
    switch (scalar_type()) {
      case ScalarType::Half: case ScalarType::Float: case ScalarType::Double:
      case ScalarType::BFloat16: case ScalarType::Float8_e5m2: case ScalarType::Float8_e4m3fn:
      case ScalarType::Float8_e5m2fnuz: case ScalarType::Float8_e4m3fnuz:
        return true;
      default:
        return false;
    }
  }
  size_t element_size() const { return dtype().itemsize(); }
  size_t itemsize() const { return element_size(); }
  size_t nbytes() const { return static_cast<size_t>(numel()) * element_size(); }
  TensorOptions options() const {
    return TensorOptions().dtype(scalar_type()).device(device()).layout(layout());
  }
  DeprecatedTypeProperties type() const { return {scalar_type(), is_cuda()}; }

  void* data_ptr() const { return get<void*>(aoti_torch_get_data_ptr); }
  void* mutable_data_ptr() const { return data_ptr(); }
  const void* const_data_ptr() const { return get<const void*>(torch_get_const_data_ptr); }
  template <class T>
  typename Element<T>::type* data_ptr() const {
    return typed_data(handle(), static_cast<const T*>(nullptr));
  }
  template <class T>
  typename Element<T>::type* mutable_data_ptr() const {
    return typed_mutable_data(handle(), static_cast<const T*>(nullptr));
  }
  template <class T>
  const typename Element<T>::type* const_data_ptr() const {
    TORCH_CHECK(scalar_type() == Element<T>::scalar_type, "expected scalar type ",
                Element<T>::scalar_type, " but found ", scalar_type());
    const void* data = nullptr;
    torch_get_const_data_ptr(handle(), &data);
    return static_cast<const T*>(data);
  }
  template <class T>
  typename Element<T>::type item() const {
    return typed_item(handle(), static_cast<const T*>(nullptr));
  }

  Tensor contiguous(MemoryFormat f = MemoryFormat::Contiguous) const {
    if (f == MemoryFormat::Contiguous && is_contiguous()) return *this;
    return from(op::contiguous, handle(), f);
  }
  Tensor clone(op::Format f = {}) const { return from(op::clone, handle(), f); }
  Tensor detach() const { return from(op::detach, handle()); }
  Tensor view(IntArrayRef s) const { return from(op::view, handle(), s); }
  Tensor reshape(IntArrayRef s) const { return from(op::reshape, handle(), s); }
  Tensor expand(IntArrayRef s, bool implicit = false) const {
    return from(op::expand, handle(), s, implicit);
  }
  Tensor flatten(int64_t start = 0, int64_t end = -1) const {
    return from(op::flatten, handle(), start, end);
  }
  Tensor t() const { return from(op::t, handle()); }
  Tensor transpose(int64_t a, int64_t b) const { return from(op::transpose, handle(), a, b); }
  Tensor permute(IntArrayRef dims) const { return from(op::permute, handle(), dims); }
  Tensor unsqueeze(int64_t d) const { return from(op::unsqueeze, handle(), d); }
  Tensor squeeze() const { return from(op::squeeze, handle()); }
  Tensor squeeze(int64_t d) const { return from(op::squeeze_dim, handle(), d); }
  Tensor select(int64_t d, int64_t i) const {
    return from([](Handle h, int64_t x, int64_t y) { return op::select(h, x, y); }, handle(), d, i);
  }
  Tensor narrow(int64_t d, int64_t start, int64_t n) const {
    return from([](Handle h, int64_t x, int64_t y, int64_t z) { return op::narrow(h, x, y, z); },
                handle(), d, start, n);
  }
  Tensor operator[](int64_t i) const { return select(0, i); }

  Tensor to(ScalarType t, bool async = false, bool copy = false, op::Format f = {}) const {
    return from(op::to_dtype, handle(), t, async, copy, f);
  }
  Tensor to(Device d, ScalarType t, bool async = false, bool copy = false,
            op::Format f = {}) const {
    return from(op::to_device, handle(), d, t, async, copy, f);
  }
  Tensor to(const TensorOptions& o = {}, bool async = false, bool copy = false) const {
    return from(op::to_options, handle(), o.dtype_opt_(), o.layout_opt_(), o.device_opt_(),
                o.pinned_opt_(), async, copy, o.memory_format_opt_());
  }
  Tensor to(const Tensor& o, bool async = false, bool copy = false, op::Format f = {}) const {
    return from(op::to_other, handle(), o.handle(), async, copy, f);
  }
  Tensor toType(ScalarType t) const { return to(options().dtype(t)); }
  Tensor cpu() const { return to(options().device(DeviceType::CPU)); }
  Tensor cuda() const { return to(options().device(DeviceType::CUDA)); }

  Tensor sum(op::Type t = {}) const { return from(op::sum, handle(), t); }
  Tensor sum(IntArrayRef dims, bool keep = false, op::Type t = {}) const {
    return from(op::sum_dim, handle(), Maybe<IntArrayRef>(dims), keep, t);
  }
  Tensor sum(ArrayRef<Dimname> dims, bool keep = false, op::Type t = {}) const = delete;
  Tensor mean(op::Type t = {}) const { return from(op::mean, handle(), t); }
  Tensor mean(IntArrayRef dims, bool keep = false, op::Type t = {}) const {
    return from(op::mean_dim, handle(), Maybe<IntArrayRef>(dims), keep, t);
  }
  Tensor mean(ArrayRef<Dimname> dims, bool keep = false, op::Type t = {}) const = delete;
  Tensor max() const { return from(op::max, handle()); }
  Tensor min() const { return from(op::min, handle()); }
  Tensor amax(IntArrayRef dims = {}, bool keep = false) const {
    return from(op::amax, handle(), dims, keep);
  }
  Tensor amin(IntArrayRef dims = {}, bool keep = false) const {
    return from(op::amin, handle(), dims, keep);
  }
  Tensor clamp(const OptionalScalar& low, const OptionalScalar& high = {}) const {
    return from(op::clamp, handle(), low.value, high.value);
  }
  Tensor clamp_min(const Scalar& low) const { return from(op::clamp_min, handle(), low); }
  Tensor clamp_max(const Scalar& high) const { return from(op::clamp_max, handle(), high); }
  Tensor softmax(int64_t d, op::Type t = {}) const { return from(op::softmax, handle(), d, t); }
  Tensor exp() const { return from(op::exp, handle()); }
  Tensor log() const { return from(op::log, handle()); }
  Tensor sqrt() const { return from(op::sqrt, handle()); }
  Tensor rsqrt() const { return from(op::rsqrt, handle()); }
  Tensor abs() const { return from(op::abs, handle()); }
  Tensor neg() const { return from(op::neg, handle()); }
  Tensor sigmoid() const { return from(op::sigmoid, handle()); }
  Tensor tanh() const { return from(op::tanh, handle()); }
  Tensor relu() const { return from(op::relu, handle()); }
  Tensor matmul(const Tensor& o) const { return from(op::matmul, handle(), o.handle()); }
  Tensor mm(const Tensor& o) const { return from(op::mm, handle(), o.handle()); }
  Tensor bmm(const Tensor& o) const { return from(op::bmm, handle(), o.handle()); }
  Tensor mv(const Tensor& o) const { return from(op::mv, handle(), o.handle()); }
  Tensor dot(const Tensor& o) const { return from(op::dot, handle(), o.handle()); }
  Tensor mul(const Tensor& o) const { return from(op::mul, handle(), o.handle()); }
  Tensor div(const Tensor& o) const { return from(op::div, handle(), o.handle()); }
  Tensor add(const Tensor& o, const Scalar& alpha = 1) const {
    return from(op::add, handle(), o.handle(), alpha);
  }
  Tensor sub(const Tensor& o, const Scalar& alpha = 1) const {
    return from(op::sub, handle(), o.handle(), alpha);
  }
  Tensor mul(const Scalar& s) const { return from(op::mul_scalar, handle(), s); }
  Tensor div(const Scalar& s) const { return from(op::div_scalar, handle(), s); }
  Tensor pow(const Scalar& s) const { return from(op::pow_scalar, handle(), s); }
  Tensor add(const Scalar& s, const Scalar& alpha = 1) const {
    return from(op::add_scalar, handle(), s, alpha);
  }
  Tensor sub(const Scalar& s, const Scalar& alpha = 1) const {
    return from(op::sub_scalar, handle(), s, alpha);
  }

  Tensor& zero_() const { return op::zero_(handle()), self(); }
  Tensor& fill_(const Scalar& s) const { return op::fill_(handle(), s), self(); }
  Tensor& copy_(const Tensor& o, bool async = false) const {
    return op::copy_(handle(), o.handle(), async), self();
  }
  Tensor& add_(const Tensor& o, const Scalar& alpha = 1) const {
    return op::add_(handle(), o.handle(), alpha), self();
  }
  Tensor& add_(const Scalar& s, const Scalar& alpha = 1) const {
    return op::add_scalar_(handle(), s, alpha), self();
  }
  Tensor& mul_(const Tensor& o) const { return op::mul_(handle(), o.handle()), self(); }
  Tensor& mul_(const Scalar& s) const { return op::mul_scalar_(handle(), s), self(); }

  friend Tensor operator+(const Tensor& a, const Tensor& b) { return a.add(b); }
  friend Tensor operator-(const Tensor& a, const Tensor& b) { return a.sub(b); }
  friend Tensor operator*(const Tensor& a, const Tensor& b) { return a.mul(b); }
  friend Tensor operator/(const Tensor& a, const Tensor& b) { return a.div(b); }
  friend Tensor operator+(const Tensor& a, const Scalar& b) { return a.add(b); }
  friend Tensor operator-(const Tensor& a, const Scalar& b) { return a.sub(b); }
  friend Tensor operator*(const Tensor& a, const Scalar& b) { return a.mul(b); }
  friend Tensor operator/(const Tensor& a, const Scalar& b) { return a.div(b); }
  friend Tensor operator+(const Scalar& a, const Tensor& b) { return b.add(a); }
  friend Tensor operator*(const Scalar& a, const Tensor& b) { return b.mul(a); }
  Tensor operator-() const { return neg(); }
  Tensor& operator+=(const Tensor& o) { return add_(o); }
  Tensor& operator+=(const Scalar& s) { return add_(s); }
  Tensor& operator*=(const Tensor& o) { return mul_(o); }
  Tensor& operator*=(const Scalar& s) { return mul_(s); }

  // The TensorImpl's address: the identity that copies of a tensor share.
  const void* impl() const { return *reinterpret_cast<void* const*>(handle()); }

 private:
  template <class T>
  T get(int32_t (*read)(Handle, T*)) const {
    T value{};
    read(handle(), &value);
    return value;
  }
  int64_t wrap(int64_t d) const {
    const int64_t n = dim();
    if (d >= 0 && d < n) return d;
    if (d < 0 && d >= -n) return d + n;
    return wrap_dim_slow(d, n, false);
  }
  Tensor& self() const { return const_cast<Tensor&>(*this); }
  mutable Handle handle_ = nullptr;
};

// In this namespace so that an unqualified `device_of(x)` finds it, as it does beside at::Tensor.
inline Maybe<Device> device_of(const Tensor& t) {
  return t.defined() ? Maybe<Device>(t.device()) : Maybe<Device>();
}

inline Tensor finish(Tensor t, const TensorOptions& o) {
  if (o.requires_grad()) torch_set_requires_grad(t.handle(), true);
  return t;
}
#define LEAN_SPREAD(o) (o).dtype_opt_(), (o).layout_opt_(), (o).device_opt_(), (o).pinned_opt_()
inline op::Format format_of(const TensorOptions& o, const op::Format& f) {
  TORCH_CHECK(!(o.memory_format_opt_().present && f.present),
              "Cannot set memory_format both in TensorOptions and explicit argument; please delete "
              "the redundant setter.");
  return f.present ? f : o.memory_format_opt_();
}

}  // namespace lean

namespace at {
using lean::device_of;
using lean::Tensor;

inline Tensor empty(IntArrayRef s, const TensorOptions& o = {}, lean::op::Format f = {}) {
  return lean::finish(Tensor::from(lean::op::empty, s, LEAN_SPREAD(o), lean::format_of(o, f)), o);
}
inline Tensor empty_strided(IntArrayRef s, IntArrayRef strides, const TensorOptions& o = {}) {
  return lean::finish(Tensor::from(lean::op::empty_strided, s, strides, LEAN_SPREAD(o)), o);
}
#define LEAN_FACTORY(name)                                                       \
  inline Tensor name(IntArrayRef s, const TensorOptions& o = {}) {               \
    return lean::finish(Tensor::from(lean::op::name, s, LEAN_SPREAD(o)), o);     \
  }
LEAN_FACTORY(zeros)
LEAN_FACTORY(ones)
LEAN_FACTORY(rand)
LEAN_FACTORY(randn)
#undef LEAN_FACTORY
inline Tensor full(IntArrayRef s, const Scalar& v, const TensorOptions& o = {}) {
  return lean::finish(Tensor::from(lean::op::full, s, v, LEAN_SPREAD(o)), o);
}
inline Tensor arange(const Scalar& end, const TensorOptions& o = {}) {
  return lean::finish(Tensor::from(lean::op::arange, end, LEAN_SPREAD(o)), o);
}
#define LEAN_LIKE(name)                                                                          \
  inline Tensor name(const Tensor& x, const TensorOptions& o = {}, lean::op::Format f = {}) {    \
    return lean::finish(                                                                         \
        Tensor::from(lean::op::name, x.handle(), LEAN_SPREAD(o), lean::format_of(o, f)), o);     \
  }
LEAN_LIKE(empty_like)
LEAN_LIKE(zeros_like)
LEAN_LIKE(ones_like)
LEAN_LIKE(rand_like)
LEAN_LIKE(randn_like)
#undef LEAN_LIKE
inline Tensor full_like(const Tensor& x, const Scalar& v, const TensorOptions& o = {},
                        lean::op::Format f = {}) {
  return lean::finish(
      Tensor::from(lean::op::full_like, x.handle(), v, LEAN_SPREAD(o), lean::format_of(o, f)), o);
}

#define LEAN_UNARY(name) \
  inline Tensor name(const Tensor& x) { return x.name(); }
LEAN_UNARY(sigmoid)
LEAN_UNARY(tanh)
LEAN_UNARY(relu)
LEAN_UNARY(exp)
LEAN_UNARY(log)
LEAN_UNARY(sqrt)
LEAN_UNARY(rsqrt)
LEAN_UNARY(abs)
LEAN_UNARY(neg)
LEAN_UNARY(clone)
LEAN_UNARY(sum)
LEAN_UNARY(mean)
LEAN_UNARY(max)
LEAN_UNARY(min)
LEAN_UNARY(squeeze)
#undef LEAN_UNARY
#define LEAN_BINARY(name) \
  inline Tensor name(const Tensor& a, const Tensor& b) { return a.name(b); }
LEAN_BINARY(matmul)
LEAN_BINARY(mm)
LEAN_BINARY(bmm)
LEAN_BINARY(mv)
LEAN_BINARY(dot)
LEAN_BINARY(mul)
LEAN_BINARY(div)
#undef LEAN_BINARY
inline Tensor add(const Tensor& a, const Tensor& b, const Scalar& alpha = 1) {
  return a.add(b, alpha);
}
inline Tensor sub(const Tensor& a, const Tensor& b, const Scalar& alpha = 1) {
  return a.sub(b, alpha);
}
inline Tensor reshape(const Tensor& x, IntArrayRef s) { return x.reshape(s); }
inline Tensor transpose(const Tensor& x, int64_t a, int64_t b) { return x.transpose(a, b); }
using lean::Scalar;
inline Tensor clamp(const Tensor& x, const lean::OptionalScalar& low,
                    const lean::OptionalScalar& high = {}) {
  return x.clamp(low, high);
}
inline Tensor clamp_min(const Tensor& x, const Scalar& low) { return x.clamp_min(low); }
inline Tensor clamp_max(const Tensor& x, const Scalar& high) { return x.clamp_max(high); }
inline Tensor softmax(const Tensor& x, int64_t d, lean::op::Type t = {}) { return x.softmax(d, t); }
inline Tensor addmm(const Tensor& c, const Tensor& a, const Tensor& b, const Scalar& beta = 1,
                    const Scalar& alpha = 1) {
  return Tensor::from(lean::op::addmm, c.handle(), a.handle(), b.handle(), beta, alpha);
}
}  // namespace at

namespace lean {
// What ATen functions take for a `const std::optional<Tensor>&` parameter.
class OptionalTensor {
 public:
  OptionalTensor() = default;
  OptionalTensor(const Tensor& t) : tensor_(t), present_(true) {}
#ifdef LEAN_OPTIONAL
  OptionalTensor(std::nullopt_t) {}
  OptionalTensor(const std::optional<Tensor>& t) : present_(t.has_value()) {
    if (t) tensor_ = *t;
  }
#endif
  BorrowedOptional borrow() const { return {present_ ? tensor_.impl() : nullptr, present_}; }

 private:
  Tensor tensor_;
  bool present_ = false;
};
}  // namespace lean

namespace at {
inline Tensor linear(const Tensor& x, const Tensor& w, const lean::OptionalTensor& b = {}) {
  return Tensor::from(lean::op::linear, x.handle(), w.handle(), b.borrow());
}
inline Tensor conv2d(const Tensor& x, const Tensor& w, const lean::OptionalTensor& b = {},
                     IntArrayRef stride = 1, IntArrayRef padding = 0, IntArrayRef dilation = 1,
                     int64_t groups = 1) {
  return Tensor::from(lean::op::conv2d, x.handle(), w.handle(), b.borrow(), stride, padding,
                      dilation, groups);
}
}  // namespace at
