// What ATen's functions take: parameters that accept what the real ones do.
#pragma once
#include <lean/entries.h>

namespace at::Reduction {
enum Reduction { None, Mean, Sum, END };
}

namespace lean {

class Tensor;
using TensorList = ArrayRef<Tensor>;

// In no call: a type that the lean headers do not have.
class Unknown {
  Unknown();
};

// For `const std::optional<Scalar>&`: any number will do.
struct OptionalScalar {
  OptionalScalar() = default;
  template <class T, class = decltype(Scalar(*static_cast<const T*>(nullptr)))>
  OptionalScalar(const T& v) : value(Scalar(v)) {}
#ifdef LEAN_OPTIONAL
  OptionalScalar(std::nullopt_t) {}
  OptionalScalar(const std::optional<Scalar>& v) : value(v) {}
#endif
  Maybe<Scalar> value;
};

// For `at::OptionalIntArrayRef`: whatever is or makes an IntArrayRef.
struct OptionalIntArrayRef {
  OptionalIntArrayRef() = default;
  OptionalIntArrayRef(IntArrayRef list) : value(list) {}
  OptionalIntArrayRef(const int64_t& one) : value(IntArrayRef(one)) {}
  OptionalIntArrayRef(const std::initializer_list<int64_t>& list) : value(IntArrayRef(list)) {}
  template <class C, class = decltype(static_cast<const C*>(nullptr)->data())>
  OptionalIntArrayRef(const C& list) : value(IntArrayRef(list)) {}
#ifdef LEAN_OPTIONAL
  OptionalIntArrayRef(std::nullopt_t) {}
  OptionalIntArrayRef(const std::optional<IntArrayRef>& list) : value(list) {}
#endif
  Maybe<IntArrayRef> value;
};

// For `std::string_view`, laid out alike.
struct Text {
  constexpr Text(const char* s) : size(__builtin_strlen(s)), data(s) {}
  template <class S, class = decltype(static_cast<const S*>(nullptr)->find_first_of("x"))>
  Text(const S& s) : size(s.size()), data(s.data()) {}
  size_t size;
  const char* data;
};
struct OptionalText {
  OptionalText() = default;
  template <class T, class = decltype(Text(*static_cast<const T*>(nullptr)))>
  OptionalText(const T& s) : value(Text(s)) {}
#ifdef LEAN_OPTIONAL
  OptionalText(std::nullopt_t) {}
#endif
  Maybe<Text> value;
};

// For `const std::optional<Tensor>&`: borrows what it is given for the length of the call.
class OptionalTensor {
 public:
  OptionalTensor() = default;
  OptionalTensor(const Tensor& t);
#ifdef LEAN_OPTIONAL
  OptionalTensor(std::nullopt_t) {}
  OptionalTensor(const std::optional<Tensor>& t);
#endif
  const BorrowedOptional& borrow() const { return borrowed_; }

 private:
  BorrowedOptional borrowed_;
};

}  // namespace lean

#ifdef LEAN_ENTRIES
LEAN_ENTRIES
#endif
