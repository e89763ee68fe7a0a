// at::Tensor and the functions that make one, over libtorch's exported functions.
#pragma once
#include <lean/arguments.h>
#ifdef LEAN_ACCESSOR
#include <lean/accessor.h>
#endif
#ifdef LEAN_INDEXING
#include <lean/indexing.h>
#endif

namespace lean {

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

// What data<T>() reads for a T: CUDATensorMethods.cuh has CUDA's own half as well.
template <class T>
struct DataOf {
  using type = typename Element<T>::type;
  using stored = T;
};

// What Tensor::type() returns; like the real one it is no ScalarType, so AT_DISPATCH refuses it.
class DeprecatedTypeProperties {
 public:
  DeprecatedTypeProperties(ScalarType t, DeviceType d, Layout l) : type_(t), device_(d), layout_(l) {}
  ScalarType scalarType() const { return type_; }
  TypeMeta typeMeta() const { return TypeMeta(type_); }
  DeviceType device_type() const { return device_; }
  bool is_cuda() const { return device_ == DeviceType::CUDA; }
  bool is_sparse() const { return layout() == Layout::Sparse; }
  Layout layout() const {
    TORCH_CHECK(!is_compressed(),
                "Cannot map Backend SparseCsr(CPU|CUDA|HIP|VE|XPU|MPS) to a unique layout.");
    return layout_;
  }
  DeprecatedTypeProperties toScalarType(ScalarType t) const { return {t, device_, layout_}; }
  TensorOptions options(int16_t device_index = -1) const {
    return TensorOptions()
        .dtype(type_)
        .device(device_, static_cast<DeviceIndex>(device_index))
        .layout(layout());
  }
  operator TensorOptions() const { return options(); }
#ifdef LEAN_STRING
  std::string toString() const {
    Message m;
    describe(m, *this);
    return m.c_str();
  }
#endif
  // Of no TensorOptions, which it converts to.
  friend void describe(Message& m, const DeprecatedTypeProperties& t) {
    const auto layout = static_cast<int>(t.layout_);
    if (t.type_ > ScalarType::Float4_e2m1fn_x2) return m.add("UndefinedType");
    m.parts(t.is_compressed() ? "SparseCsr" : layout == 1 ? "Sparse" : layout == 3 ? "Mkldnn" : "",
            isQIntType(t.type_) ? "Quantized" : "",
            t.is_cuda() ? "CUDA" : t.device_ == DeviceType::Meta ? "Meta" : "CPU", t.type_, "Type");
  }

 private:
  bool is_compressed() const {
    const auto layout = static_cast<int>(layout_);
    return layout == 2 || (layout > 3 && layout < 7);
  }
  ScalarType type_;
  DeviceType device_;
  Layout layout_;
};

bool tensor_requires_grad(const void* impl) LEAN_SYMBOL("_ZNK3c1010TensorImpl13requires_gradEv");
void tensor_set_requires_grad(const void* impl, bool)
    LEAN_SYMBOL("_ZN3c1010TensorImpl17set_requires_gradEb");
void* base_requires_grad(Handle, bool) LEAN_SYMBOL("_ZNK2at10TensorBase14requires_grad_Eb");
bool base_is_leaf(Handle) LEAN_SYMBOL("_ZNK2at10TensorBase7is_leafEv");
bool base_retains_grad(Handle) LEAN_SYMBOL("_ZNK2at10TensorBase12retains_gradEv");
void base_retain_grad(Handle) LEAN_SYMBOL("_ZNK2at10TensorBase11retain_gradEv");

inline int64_t maybe_wrap_dim(int64_t d, int64_t n, bool wrap_scalar = true) {
  if (d >= 0 && d < n) return d;
  if (d < 0 && d >= -n) return d + n;
  return wrap_dim_slow(d, n, wrap_scalar);
}

class Tensor {
 public:
  Tensor() = default;
  Tensor(const Tensor& o) {
    if (o.handle_) aoti_torch_new_tensor_handle(o.handle_, &handle_);
  }
  Tensor(Tensor&& o) noexcept : handle_(o.handle_) { o.handle_ = nullptr; }
  Tensor& operator=(const Tensor& o) & noexcept { return *this = Tensor(o); }
  Tensor& operator=(Tensor&& o) & noexcept {
    Handle h = handle_;
    handle_ = o.handle_;
    o.handle_ = h;
    return *this;
  }
  // To what is no variable, such as `x[0]`, its values are assigned.
  Tensor& operator=(const Scalar& v) && { return op::fill_(handle(), v), *this; }
  Tensor& operator=(const Tensor& o) && { return op::copy_(handle(), o.handle(), false), *this; }
  Tensor& operator=(Tensor&& o) && { return op::copy_(handle(), o.handle(), false), *this; }
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
  // Takes over a handle.
  static Tensor owning(Handle handle) {
    Tensor result;
    result.handle_ = handle;
    return result;
  }
  // Takes over one reference to a TensorImpl.
  static Tensor holding(void* impl) {
    Tensor result;
    *reinterpret_cast<void**>(result.handle()) = impl;
    return result;
  }
#ifdef LEAN_TUPLE
  template <size_t N, class... P, class... A>
  static auto tuple_from(ReturnedTuple<N> (*f)(P...), const A&... args) {
    alignas(void*) char memory[sizeof(ReturnedTuple<N>)];
    ::new (static_cast<void*>(memory)) ReturnedTuple<N>(f(args...));
    return holding_all(reinterpret_cast<ReturnedTuple<N>*>(memory)->impls,
                    std::make_index_sequence<N>());
  }
  template <size_t... I>
  static auto holding_all(void* const* impls, std::index_sequence<I...>) {
    return std::make_tuple(holding(impls[sizeof...(I) - 1 - I])...);
  }
#endif
#ifdef LEAN_VECTOR
  template <class F, class... A>
  static std::vector<Tensor> vector_from(F f, const A&... args) {
    alignas(void*) char memory[sizeof(ReturnedVector)];
    auto& returned = *::new (static_cast<void*>(memory)) ReturnedVector(f(args...));
    std::vector<Tensor> result;
    for (void** impl = returned.begin; impl != returned.end; impl++) result.push_back(holding(*impl));
    ::operator delete(returned.begin);
    return result;
  }
#endif
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
  bool is_contiguous(MemoryFormat f = MemoryFormat::Contiguous) const {
    switch (f) {
      case MemoryFormat::ChannelsLast: return is_dense_in({1, 3, 2, 0});
      case MemoryFormat::ChannelsLast3d: return is_dense_in({1, 4, 3, 2, 0});
      default: return get<bool>(aoti_torch_is_contiguous);
    }
  }
  // What libtorch works out of sizes and strides whenever they change, and keeps.
  bool is_non_overlapping_and_dense() const {
    if (is_contiguous() || is_contiguous(MemoryFormat::ChannelsLast) ||
        is_contiguous(MemoryFormat::ChannelsLast3d))
      return true;
    int64_t expected = 1;  // each dimension in turn is the one that strides over those before it
    for (int64_t left = dims_of_many(); left > 0; left--) {
      int64_t d = 0;
      while (d < dim() && (size(d) < 2 || stride(d) != expected)) d++;
      if (d == dim()) return false;
      expected *= size(d);
    }
    return true;
  }
  MemoryFormat suggest_memory_format(bool channels_last_strides_exact_match = false) const {
    const bool exact = channels_last_strides_exact_match;
    if (layout() != Layout::Strided) return MemoryFormat::Contiguous;
    if (is_like({1, 3, 2, 0}))
      return !exact || is_dense_in({1, 3, 2, 0}, true) ? MemoryFormat::ChannelsLast
                                                       : MemoryFormat::Contiguous;
    if (is_like({1, 4, 3, 2, 0}) && (!exact || is_dense_in({1, 4, 3, 2, 0}, true)))
      return MemoryFormat::ChannelsLast3d;
    return MemoryFormat::Contiguous;
  }
  bool is_floating_point() const { return isFloatingType(scalar_type()); }
  size_t element_size() const { return dtype().itemsize(); }
  size_t itemsize() const { return element_size(); }
  size_t nbytes() const { return static_cast<size_t>(numel()) * element_size(); }
  TensorOptions options() const {
    return TensorOptions().dtype(scalar_type()).device(device()).layout(layout());
  }
  DeprecatedTypeProperties type() const { return {scalar_type(), device().type(), layout()}; }

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
  [[deprecated("data<T>() is data_ptr<T>()")]] typename DataOf<T>::type* data() const {
    return reinterpret_cast<T*>(data_ptr<typename DataOf<T>::stored>());
  }
  bool requires_grad() const { return tensor_requires_grad(impl()); }
  const Tensor& set_requires_grad(bool on) const {
    return tensor_set_requires_grad(impl(), on), *this;
  }
  const Tensor& requires_grad_(bool on = true) const {
    return base_requires_grad(handle(), on), *this;
  }
  bool is_leaf() const { return base_is_leaf(handle()); }
  bool retains_grad() const { return base_retains_grad(handle()); }
  void retain_grad() const { base_retain_grad(handle()); }
  Scalar item() const { return op::item(handle()); }
  template <class T>
  typename Element<T>::type item() const {
    return typed_item(handle(), static_cast<const T*>(nullptr));
  }

  Tensor contiguous(MemoryFormat f = MemoryFormat::Contiguous) const {
    if (f == MemoryFormat::Contiguous && is_contiguous()) return *this;
    return from(op::contiguous, handle(), f);
  }
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

#ifdef LEAN_ACCESSOR
  template <class T, size_t N>
  TensorAccessor<T, N> accessor() const& {
    check_dims<N>();
    return TensorAccessor<T, N>(data_of<T>(), sizes().data(), strides().data());
  }
  template <class T, size_t N>
  TensorAccessor<T, N> accessor() && = delete;
  template <class T, size_t N, template <class> class P = DefaultPtrTraits, class index_t = int64_t>
  GenericPackedTensorAccessor<T, N, P, index_t> generic_packed_accessor() const& {
    check_dims<N>();
    return GenericPackedTensorAccessor<T, N, P, index_t>(data_of<T>(), sizes().data(),
                                                         strides().data());
  }
  template <class T, size_t N, template <class> class P = DefaultPtrTraits, class index_t = int64_t>
  GenericPackedTensorAccessor<T, N, P, index_t> generic_packed_accessor() && = delete;
  template <class T, size_t N, template <class> class P = DefaultPtrTraits, class index_t = int64_t>
  [[deprecated]] GenericPackedTensorAccessor<T, N, P, index_t> packed_accessor() const& {
    return generic_packed_accessor<T, N, P, index_t>();
  }
  template <class T, size_t N, template <class> class P = DefaultPtrTraits, class index_t = int64_t>
  [[deprecated]] GenericPackedTensorAccessor<T, N, P, index_t> packed_accessor() && = delete;
  template <class T, size_t N, template <class> class P = DefaultPtrTraits>
  PackedTensorAccessor32<T, N, P> packed_accessor32() const& {
    TORCH_CHECK(numel() <= 0x7fffffff,
                "numel needs to be smaller than int32_t max; otherwise, please use "
                "packed_accessor64");
    return generic_packed_accessor<T, N, P, int32_t>();
  }
  template <class T, size_t N, template <class> class P = DefaultPtrTraits>
  PackedTensorAccessor32<T, N, P> packed_accessor32() && = delete;
  template <class T, size_t N, template <class> class P = DefaultPtrTraits>
  PackedTensorAccessor64<T, N, P> packed_accessor64() const& {
    return generic_packed_accessor<T, N, P, int64_t>();
  }
  template <class T, size_t N, template <class> class P = DefaultPtrTraits>
  PackedTensorAccessor64<T, N, P> packed_accessor64() && = delete;
#endif

#ifdef LEAN_INDEXING
  Tensor index(ArrayRef<TensorIndex> i) const;
  Tensor index(std::initializer_list<TensorIndex> i) const;
  Tensor& index_put_(ArrayRef<TensorIndex> i, const Tensor& values);
  Tensor& index_put_(ArrayRef<TensorIndex> i, const Scalar& v);
  Tensor& index_put_(std::initializer_list<TensorIndex> i, const Tensor& values);
  Tensor& index_put_(std::initializer_list<TensorIndex> i, const Scalar& v);
#endif
  Tensor operator[](int64_t i) const { return from(op::select, handle(), int64_t{0}, i); }
  Tensor operator-() const { return from(op::neg, handle()); }
  Tensor operator~() const { return from(op::bitwise_not, handle()); }
  Tensor& operator+=(const Tensor& o) { return op::add_(handle(), o.handle(), 1), *this; }
  Tensor& operator+=(const Scalar& s) { return op::add_(handle(), s, 1), *this; }
  Tensor& operator-=(const Tensor& o) { return op::sub_(handle(), o.handle(), 1), *this; }
  Tensor& operator-=(const Scalar& s) { return op::sub_(handle(), s, 1), *this; }
  Tensor& operator*=(const Tensor& o) { return op::mul_(handle(), o.handle()), *this; }
  Tensor& operator*=(const Scalar& s) { return op::mul_(handle(), s), *this; }
  Tensor& operator/=(const Tensor& o) { return op::div_(handle(), o.handle()), *this; }
  Tensor& operator/=(const Scalar& s) { return op::div_(handle(), s), *this; }
  Tensor& operator&=(const Tensor& o) { return op::bitwise_and_(handle(), o.handle()), *this; }
  Tensor& operator|=(const Tensor& o) { return op::bitwise_or_(handle(), o.handle()), *this; }
  Tensor& operator^=(const Tensor& o) { return op::bitwise_xor_(handle(), o.handle()), *this; }

#ifdef LEAN_METHODS
  LEAN_METHODS
#endif

  // The TensorImpl's address: the identity that copies of a tensor share.
  const void* impl() const { return *reinterpret_cast<void* const*>(handle()); }

 private:
#ifdef LEAN_ACCESSOR
  template <size_t N>
  void check_dims() const {
    static_assert(N > 0, "accessor is used for indexing tensor, for scalars use *data_ptr<T>()");
    TORCH_CHECK(dim() == N, "TensorAccessor expected ", N, " dims but tensor has ", dim());
  }
  template <class T>
  T* data_of() const {
    if constexpr (SameType<T, const T>::value)
      return const_data_ptr<typename Unqualified<T>::type>();
    else
      return mutable_data_ptr<T>();
  }
#endif
  template <class T>
  T get(int32_t (*read)(Handle, T*)) const {
    T value{};
    read(handle(), &value);
    return value;
  }
  int64_t wrap(int64_t d) const { return maybe_wrap_dim(d, dim(), false); }
  // The dimensions from the one that is next to itself in memory outwards.
  bool is_dense_in(const std::initializer_list<int64_t>& order, bool all = false) const {
    if (dim() != static_cast<int64_t>(order.size())) return false;
    int64_t expected = 1;
    for (int64_t d : order) {
      if (size(d) == 1 && !all) continue;
      if (stride(d) != expected) return false;
      expected *= size(d);
    }
    return true;
  }
  // Do the strides grow in this order, gaps between them allowed? N111 in torch's words is not.
  bool is_like(const std::initializer_list<int64_t>& order) const {
    if (dim() != static_cast<int64_t>(order.size()) || stride(1) == 0) return false;
    int64_t least = 0;
    for (int64_t d : order) {
      if (size(d) == 0 || stride(d) < least || (d == 0 && least == stride(1))) return false;
      least = stride(d) * (size(d) > 1 ? size(d) : 1);
    }
    return true;
  }
  int64_t dims_of_many() const {
    int64_t count = 0;
    for (int64_t n : sizes()) count += n > 1;
    return count;
  }
  Tensor& self() const { return const_cast<Tensor&>(*this); }
  mutable Handle handle_ = nullptr;
};

inline OptionalTensor::OptionalTensor(const Tensor& t) : borrowed_{t.impl(), true} {}
#ifdef LEAN_OPTIONAL
inline OptionalTensor::OptionalTensor(const std::optional<Tensor>& t) {
  if (t) borrowed_ = {t->impl(), true};
}
#endif
// A list of tensors as libtorch has one, for the length of a call.
class BorrowedList {
 public:
  explicit BorrowedList(TensorList list) : impls_(new const void*[list.size()]), size_(list.size()) {
    for (size_t i = 0; i < size_; i++) impls_[i] = list[i].impl();
  }
  BorrowedList(const BorrowedList&) = delete;
  ~BorrowedList() { delete[] impls_; }
  BorrowedTensors tensors() const { return {impls_, size_}; }
  BorrowedEither either() const { return {tensors()}; }

 private:
  const void** impls_;
  size_t size_;
};

#define LEAN_OPERATOR(LEAN_SIGN, name, reversed)                                                     \
  inline Tensor operator LEAN_SIGN(const Tensor& a, const Tensor& b) {                               \
    return Tensor::from(op::name, a.handle(), b.handle());                                      \
  }                                                                                             \
  inline Tensor operator LEAN_SIGN(const Tensor& a, const Scalar& b) {                               \
    return Tensor::from(op::name##_scalar, a.handle(), b);                                      \
  }                                                                                             \
  inline Tensor operator LEAN_SIGN(const Scalar& a, const Tensor& b) { reversed }
#define LEAN_SWAPPED(name) return Tensor::from(op::name##_scalar, b.handle(), a);
#define LEAN_FILLED(name)     \
  Tensor filled = like(b, a); \
  op::name(filled.handle(), b.handle()); \
  return filled;
inline Tensor like(const Tensor& t, const Scalar& value) {
  Tensor filled = Tensor::from(op::empty_like, t.handle(), op::Type(), op::Shape(), op::Place(),
                               op::Pin(), op::Format(MemoryFormat::Preserve));
  op::fill_(filled.handle(), value);
  return filled;
}
LEAN_OPERATOR(*, mul, LEAN_SWAPPED(mul))
LEAN_OPERATOR(/, div, LEAN_FILLED(div_))
LEAN_OPERATOR(%, remainder, LEAN_FILLED(remainder_))
LEAN_OPERATOR(&, bitwise_and, LEAN_SWAPPED(bitwise_and))
LEAN_OPERATOR(|, bitwise_or, LEAN_SWAPPED(bitwise_or))
LEAN_OPERATOR(^, bitwise_xor, LEAN_SWAPPED(bitwise_xor))
LEAN_OPERATOR(<, lt, LEAN_SWAPPED(gt))
LEAN_OPERATOR(<=, le, LEAN_SWAPPED(ge))
LEAN_OPERATOR(>, gt, LEAN_SWAPPED(lt))
LEAN_OPERATOR(>=, ge, LEAN_SWAPPED(le))
LEAN_OPERATOR(==, eq, LEAN_SWAPPED(eq))
LEAN_OPERATOR(!=, ne, LEAN_SWAPPED(ne))
#undef LEAN_OPERATOR
#undef LEAN_SWAPPED
#undef LEAN_FILLED
inline Tensor operator+(const Tensor& a, const Tensor& b) {
  return Tensor::from(op::add, a.handle(), b.handle(), Scalar(1));
}
inline Tensor operator+(const Tensor& a, const Scalar& b) {
  return Tensor::from(op::add_scalar, a.handle(), b, Scalar(1));
}
inline Tensor operator+(const Scalar& a, const Tensor& b) { return b + a; }
inline Tensor operator-(const Tensor& a, const Tensor& b) {
  return Tensor::from(op::sub, a.handle(), b.handle(), Scalar(1));
}
inline Tensor operator-(const Tensor& a, const Scalar& b) {
  return Tensor::from(op::sub_scalar, a.handle(), b, Scalar(1));
}
inline Tensor operator-(const Scalar& a, const Tensor& b) {
  Tensor filled = like(b, a);
  op::sub_(filled.handle(), b.handle(), 1);
  return filled;
}

// In this namespace so that an unqualified `device_of(x)` finds it, as it does beside at::Tensor.
inline Maybe<Device> device_of(const Tensor& t) {
  return t.defined() ? Maybe<Device>(t.device()) : Maybe<Device>();
}

// By these names, too, where argument-dependent lookup finds them.
void print_default(Handle, int64_t line_size) LEAN_SYMBOL("_ZN2at5printERKNS_6TensorEl");
inline void print(const Tensor& t, int64_t line_size = 80) {
  print_default(t.handle(), line_size);
}
bool can_use_32_bit_index_math(Handle, int64_t max)
    LEAN_SYMBOL("_ZN2at6native20canUse32BitIndexMathERKNS_10TensorBaseEl");
inline bool canUse32BitIndexMath(const Tensor& t, int64_t max_elem = 0x7fffffff) {
  return can_use_32_bit_index_math(t.handle(), max_elem);
}
inline int64_t numel(const Tensor& t) { return t.numel(); }
inline int64_t size(const Tensor& t, int64_t d) { return t.size(d); }
inline int64_t stride(const Tensor& t, int64_t d) { return t.stride(d); }
inline bool is_floating_point(const Tensor& t) { return t.is_floating_point(); }

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

namespace c10 {
using lean::maybe_wrap_dim;
}
namespace at {
using lean::device_of;
using lean::is_floating_point;
using lean::numel;
using lean::print;
using lean::size;
using lean::stride;
using lean::OptionalIntArrayRef;
using lean::Tensor;
using lean::TensorList;

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
}  // namespace at

namespace lean {
// Beside Tensor, so that an unqualified call finds them as it finds the real ones.
#define LEAN_LIKE(name)                                                                          \
  inline Tensor name(const Tensor& x, const TensorOptions& o = {}, op::Format f = {}) {    \
    return finish(                                                                         \
        Tensor::from(op::name, x.handle(), LEAN_SPREAD(o), format_of(o, f)), o);     \
  }
LEAN_LIKE(empty_like)
LEAN_LIKE(zeros_like)
LEAN_LIKE(ones_like)
LEAN_LIKE(rand_like)
LEAN_LIKE(randn_like)
#undef LEAN_LIKE
inline Tensor full_like(const Tensor& x, const Scalar& v, const TensorOptions& o = {},
                        op::Format f = {}) {
  return finish(
      Tensor::from(op::full_like, x.handle(), v, LEAN_SPREAD(o), format_of(o, f)), o);
}
}  // namespace lean
namespace at {
using lean::empty_like;
using lean::full_like;
using lean::ones_like;
using lean::rand_like;
using lean::randn_like;
using lean::zeros_like;
}  // namespace at

#ifdef LEAN_DEFINITIONS
LEAN_DEFINITIONS
#endif

#if defined(LEAN_IOSTREAM) || defined(LEAN_SSTREAM)
#include <lean/print.h>
#endif
#ifdef LEAN_GUARDS
#include <lean/guards.h>
#endif
#ifdef LEAN_BLOBS
#include <lean/blobs.h>
#endif
#ifdef LEAN_INDEXING
#include <lean/indices.h>
#endif
#ifdef LEAN_ARGUMENT_CHECKS
#include <lean/argument_checks.h>
#endif
