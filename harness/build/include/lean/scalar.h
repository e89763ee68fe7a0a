// c10::Scalar: a number of any kind.
#pragma once
#include <lean/types.h>

namespace lean {

// Laid out as c10::Scalar (checked against torch's header before the first lean build).
class Scalar {
 public:
  Scalar() : Scalar(int64_t{0}) {}
  Scalar(double v) : tag_(kDouble) { v_.d = v; }
  Scalar(float v) : Scalar(static_cast<double>(v)) {}
  Scalar(int64_t v) : tag_(kInt) { v_.i = v; }
  Scalar(long long v) : Scalar(static_cast<int64_t>(v)) {}
  Scalar(int v) : Scalar(static_cast<int64_t>(v)) {}
  Scalar(int16_t v) : Scalar(static_cast<int64_t>(v)) {}
  Scalar(int8_t v) : Scalar(static_cast<int64_t>(v)) {}
  Scalar(uint8_t v) : Scalar(static_cast<int64_t>(v)) {}
  Scalar(uint32_t v) : Scalar(static_cast<int64_t>(v)) {}
  Scalar(uint64_t v) : tag_(v >> 63 ? kUnsigned : kInt) { v_.i = static_cast<int64_t>(v); }
  Scalar(uint16_t v) : Scalar(static_cast<int64_t>(v)) {}
  // A pointer becomes a bool as well, but no number.
  template <class T, typename OnlyIf<SameType<T, bool>::value>::type* = nullptr>
  Scalar(T v) : tag_(kBool) {
    v_.i = v;
  }
#ifdef LEAN_HALF
  Scalar(c10::Half v) : Scalar(static_cast<double>(static_cast<float>(v))) {}
  Scalar(c10::BFloat16 v) : Scalar(static_cast<double>(static_cast<float>(v))) {}
#endif

  bool isFloatingPoint() const { return tag_ == kDouble; }
  bool isIntegral(bool or_bool) const {
    return tag_ == kInt || tag_ == kUnsigned || (or_bool && tag_ == kBool);
  }
  bool isBoolean() const { return tag_ == kBool; }
  double toDouble() const { return tag_ == kDouble ? v_.d : static_cast<double>(integer("double")); }
  float toFloat() const {
    const double v = toDouble(), most = __FLT_MAX__;
    if ((v > most || v < -most) && !__builtin_isinf(v)) overflow("float");
    return static_cast<float>(v);
  }
  int64_t toLong() const { return within("int64_t", -0x1p63, 0x1p63); }
  int toInt() const { return static_cast<int>(within("int", -0x1p31, 0x1p31 - 1)); }
  bool toBool() const { return tag_ == kDouble ? v_.d != 0 : v_.i != 0; }
  template <class T>
  T to() const = delete;

 private:
  [[noreturn]] static void overflow(const char* type) {
    const char* parts[] = {"value cannot be converted to type ", type, " without overflow"};
    char text[80] = "";
    for (const char* part : parts) __builtin_strcat(text, part);
    torch_check_fail("to", __FILE__, __LINE__, text);
  }
  int64_t integer(const char* type) const {
    if (tag_ == kInt || tag_ == kBool) return v_.i;
    overflow(type);  // complex numbers and those beyond int64_t are for the real headers
  }
  int64_t within(const char* type, double least, double most) const {
    const double v = toDouble();
    if (tag_ == kDouble && !(v >= least && v <= most)) overflow(type);
    if (tag_ != kDouble && most < 0x1p62 && (v < least || v > most)) overflow(type);
    return tag_ == kDouble ? static_cast<int64_t>(v_.d) : v_.i;
  }
  enum Tag : int32_t { kDouble, kInt, kUnsigned, kComplex, kBool };
  Tag tag_;
  union alignas(16) {
    double d;
    int64_t i;
    double complex[2];
  } v_{};
};

#define LEAN_TO(T, name) \
  template <>            \
  inline T Scalar::to<T>() const { return to##name(); }
LEAN_TO(double, Double)
LEAN_TO(float, Float)
LEAN_TO(int64_t, Long)
LEAN_TO(int, Int)
LEAN_TO(bool, Bool)
#undef LEAN_TO

}  // namespace lean
