// Values that describe a tensor: dtype, device, layout, array views.
#pragma once
#pragma GCC system_header  // an ArrayRef may refer to a list that dies, as the real one may
#include <lean/abi.h>
#include <lean/std.h>
#ifdef LEAN_HALF
#include <limits>  // which they use and do not include
#include <torch/headeronly/util/BFloat16.h>
#include <torch/headeronly/util/Half.h>
#endif
#ifdef LEAN_MACROS
#include <c10/macros/Macros.h>  // the real one
#endif

#if defined(__CUDACC__)
#define C10_HOST_DEVICE __host__ __device__
#define C10_DEVICE __device__
#define C10_HOST __host__
#else
#ifndef C10_HOST_DEVICE
#define C10_HOST_DEVICE
#define C10_DEVICE
#define C10_HOST
#endif
#endif

#ifndef LEAN_HALF
// Named by dispatch tables and data_ptr<T>; a source that computes with them gets the real ones.
namespace c10 {
struct Half;
struct BFloat16;
}  // namespace c10
#endif

namespace lean {

enum class ScalarType : int8_t {
  Byte, Char, Short, Int, Long, Half, Float, Double, ComplexHalf, ComplexFloat, ComplexDouble, Bool,
  QInt8, QUInt8, QInt32, BFloat16, QUInt4x2, QUInt2x4, Bits1x8, Bits2x4, Bits4x2, Bits8, Bits16,
  Float8_e5m2, Float8_e4m3fn, Float8_e5m2fnuz, Float8_e4m3fnuz, UInt16, UInt32, UInt64,
  UInt1, UInt2, UInt3, UInt4, UInt5, UInt6, UInt7, Int1, Int2, Int3, Int4, Int5, Int6, Int7,
  Float8_e8m0fnu, Float4_e2m1fn_x2,
};

inline const char* toString(ScalarType t) {
  static const char* const names[] = {
      "Byte", "Char", "Short", "Int", "Long", "Half", "Float", "Double", "ComplexHalf",
      "ComplexFloat", "ComplexDouble", "Bool", "QInt8", "QUInt8", "QInt32", "BFloat16", "QUInt4x2",
      "QUInt2x4", "Bits1x8", "Bits2x4", "Bits4x2", "Bits8", "Bits16", "Float8_e5m2",
      "Float8_e4m3fn", "Float8_e5m2fnuz", "Float8_e4m3fnuz", "UInt16", "UInt32", "UInt64", "UInt1",
      "UInt2", "UInt3", "UInt4", "UInt5", "UInt6", "UInt7", "Int1", "Int2", "Int3", "Int4", "Int5",
      "Int6", "Int7", "Float8_e8m0fnu", "Float4_e2m1fn_x2"};
  const auto i = static_cast<unsigned char>(t);
  return i < sizeof(names) / sizeof(names[0]) ? names[i] : "UNKNOWN_SCALAR";
}

inline size_t elementSize(ScalarType t) {
  return static_cast<size_t>(aoti_torch_dtype_element_size(static_cast<int32_t>(t)));
}
inline bool isIntegralType(ScalarType t, bool or_bool) {
  switch (t) {
    case ScalarType::Byte: case ScalarType::Char: case ScalarType::Short: case ScalarType::Int:
    case ScalarType::Long: case ScalarType::UInt16: case ScalarType::UInt32:
    case ScalarType::UInt64:
      return true;
    default:
      return or_bool && t == ScalarType::Bool;
  }
}
[[deprecated("say whether bool counts")]] inline bool isIntegralType(ScalarType t) {
  return isIntegralType(t, false);
}
inline bool isReducedFloatingType(ScalarType t) {
  switch (t) {
    case ScalarType::Half: case ScalarType::BFloat16: case ScalarType::Float8_e5m2:
    case ScalarType::Float8_e4m3fn: case ScalarType::Float8_e5m2fnuz:
    case ScalarType::Float8_e4m3fnuz: case ScalarType::Float8_e8m0fnu:
    case ScalarType::Float4_e2m1fn_x2:
      return true;
    default:
      return false;
  }
}
inline bool isFloatingType(ScalarType t) {
  return t == ScalarType::Float || t == ScalarType::Double || isReducedFloatingType(t);
}
inline bool isComplexType(ScalarType t) {
  return t == ScalarType::ComplexHalf || t == ScalarType::ComplexFloat ||
         t == ScalarType::ComplexDouble;
}
inline bool isQIntType(ScalarType t) {
  switch (t) {
    case ScalarType::QInt8: case ScalarType::QUInt8: case ScalarType::QInt32:
    case ScalarType::QUInt4x2: case ScalarType::QUInt2x4:
      return true;
    default:
      return false;
  }
}
ScalarType promoteTypes(ScalarType a, ScalarType b)
    LEAN_SYMBOL("_ZN3c1012promoteTypesENS_10ScalarTypeES0_");

// The C++ type of a ScalarType, and the other way about.
template <ScalarType>
struct CppType;
template <class T>
struct CppTypeToScalarType;
#define LEAN_CPP_TYPE(name, T)                             \
  template <>                                              \
  struct CppType<ScalarType::name> {                       \
    using type = T;                                        \
  };                                                       \
  template <>                                              \
  struct CppTypeToScalarType<T> {                          \
    using value_type = ScalarType;                         \
    using type = CppTypeToScalarType;                      \
    static constexpr ScalarType value = ScalarType::name;  \
    constexpr operator ScalarType() const { return value; } \
    constexpr ScalarType operator()() const { return value; } \
  };
LEAN_CPP_TYPE(Byte, uint8_t)
LEAN_CPP_TYPE(Char, int8_t)
LEAN_CPP_TYPE(Short, int16_t)
LEAN_CPP_TYPE(Int, int)
LEAN_CPP_TYPE(Long, int64_t)
LEAN_CPP_TYPE(Half, c10::Half)
LEAN_CPP_TYPE(Float, float)
LEAN_CPP_TYPE(Double, double)
LEAN_CPP_TYPE(Bool, bool)
LEAN_CPP_TYPE(BFloat16, c10::BFloat16)
#undef LEAN_CPP_TYPE

enum class DeviceType : int8_t { CPU = 0, CUDA = 1, Meta = 14 };
enum class Layout : int8_t { Strided, Sparse };
enum class MemoryFormat : int8_t { Contiguous, Preserve, ChannelsLast, ChannelsLast3d };
using DeviceIndex = int8_t;

class Device {
 public:
  using Type = DeviceType;
  constexpr Device(DeviceType type, DeviceIndex index = -1) : type_(type), index_(index) {}
  constexpr DeviceType type() const { return type_; }
  constexpr DeviceIndex index() const { return index_; }
  void set_index(DeviceIndex index) { index_ = index; }
  constexpr bool has_index() const { return index_ != -1; }
  constexpr bool is_cuda() const { return type_ == DeviceType::CUDA; }
  constexpr bool is_cpu() const { return type_ == DeviceType::CPU; }
  constexpr bool is_meta() const { return type_ == DeviceType::Meta; }
  constexpr bool operator==(const Device& o) const {
    return type_ == o.type_ && index_ == o.index_;
  }
  constexpr bool operator!=(const Device& o) const { return !(*this == o); }

 private:
  DeviceType type_;
  DeviceIndex index_;
};

// What Tensor::dtype() returns. It compares with a ScalarType, but is not one.
class TypeMeta {
 public:
  constexpr explicit TypeMeta(ScalarType t) : type_(t) {}
  TypeMeta& operator=(ScalarType t) noexcept { return type_ = t, *this; }
  static constexpr TypeMeta fromScalarType(ScalarType t) { return TypeMeta(t); }
  constexpr ScalarType toScalarType() const { return type_; }
  constexpr bool isScalarType() const { return true; }
  constexpr bool isScalarType(ScalarType t) const { return type_ == t; }
  size_t itemsize() const { return elementSize(type_); }
  friend constexpr bool operator==(TypeMeta a, TypeMeta b) { return a.type_ == b.type_; }
  friend constexpr bool operator!=(TypeMeta a, TypeMeta b) { return a.type_ != b.type_; }
  friend constexpr bool operator==(TypeMeta a, ScalarType b) { return a.type_ == b; }
  friend constexpr bool operator!=(TypeMeta a, ScalarType b) { return a.type_ != b; }
  friend constexpr bool operator==(ScalarType a, TypeMeta b) { return a == b.type_; }
  friend constexpr bool operator!=(ScalarType a, TypeMeta b) { return a != b.type_; }

 private:
  ScalarType type_;
};

inline ScalarType typeMetaToScalarType(TypeMeta t) { return t.toScalarType(); }
inline TypeMeta scalarTypeToTypeMeta(ScalarType t) { return TypeMeta(t); }

// A view of elements that someone else owns, as c10::ArrayRef.
template <class T>
class ArrayRef {
 public:
  constexpr ArrayRef() = default;
  constexpr ArrayRef(const T* data, size_t n) : data_(data), size_(n) {}
  constexpr ArrayRef(const T* begin, const T* end)
      : data_(begin), size_(static_cast<size_t>(end - begin)) {}
  constexpr ArrayRef(const T& one) : data_(&one), size_(1) {}
  // Like the real one, this refers to the list's own storage: valid until the full expression ends.
  constexpr ArrayRef(const std::initializer_list<T>& list)
      : data_(list.begin() == list.end() ? nullptr : list.begin()), size_(list.size()) {}
  template <size_t N>
  constexpr ArrayRef(const T (&array)[N]) : data_(array), size_(N) {}
  // std::vector, std::array and whatever else is contiguous.
  template <class C,
            class = decltype(static_cast<const T*>(static_cast<const C*>(nullptr)->data()))>
  constexpr ArrayRef(const C& c) : data_(c.data()), size_(c.size()) {}

  constexpr const T* begin() const { return data_; }
  constexpr const T* end() const { return data_ + size_; }
  constexpr const T* data() const { return data_; }
  constexpr size_t size() const { return size_; }
  constexpr bool empty() const { return size_ == 0; }
  constexpr const T& operator[](size_t i) const { return data_[i]; }
  const T& at(size_t i) const { return check(i), data_[i]; }
  const T& front() const { return check(0), data_[0]; }
  const T& back() const { return check(0), data_[size_ - 1]; }
  ArrayRef slice(size_t start, size_t n) const { return {data_ + start, n}; }
  ArrayRef slice(size_t start) const { return {data_ + start, size_ - start}; }
  bool equals(ArrayRef o) const {
    if (size_ != o.size_) return false;
    for (size_t i = 0; i < size_; i++)
      if (!(data_[i] == o.data_[i])) return false;
    return true;
  }
  friend bool operator==(ArrayRef a, ArrayRef b) { return a.equals(b); }
  friend bool operator!=(ArrayRef a, ArrayRef b) { return !a.equals(b); }
#if defined(LEAN_VECTOR) || defined(LEAN_VEC)
  std::vector<T> vec() const { return std::vector<T>(begin(), end()); }
#endif

 private:
  void check(size_t i) const {
    if (i >= size_) torch_check_fail("at", __FILE__, __LINE__, "ArrayRef: invalid index");
  }
  const T* data_ = nullptr;
  size_t size_ = 0;
};
using IntArrayRef = ArrayRef<int64_t>;

}  // namespace lean
