// The rest of indexing.h, which needs a whole Tensor.
#pragma once
#include <lean/tensor.h>

namespace lean {

struct TensorIndex {
  TensorIndex(std::nullopt_t) {}
  TensorIndex(EllipsisIndexType) { raw.type = BorrowedIndex::Type::Ellipsis; }
  TensorIndex(const char* text) : TensorIndex(Ellipsis) {
    TORCH_CHECK_VALUE(std::strcmp(text, "...") == 0,
                      "Expected \"...\" to represent an ellipsis index, but got \"", text, "\"");
  }
  TensorIndex(int64_t integer) {
    raw.integer = integer;
    raw.type = BorrowedIndex::Type::Integer;
  }
  TensorIndex(int integer) : TensorIndex(int64_t{integer}) {}
  template <class T, class = typename OnlyIf<SameType<T, bool>::value>::type>
  TensorIndex(T boolean) {
    raw.boolean = boolean;
    raw.type = BorrowedIndex::Type::Boolean;
  }
  TensorIndex(Slice slice) {
    raw.slice = slice;
    raw.type = BorrowedIndex::Type::Slice;
  }
  TensorIndex(Tensor t) : tensor(static_cast<Tensor&&>(t)) {
    raw.type = BorrowedIndex::Type::Tensor;
  }
  BorrowedIndex raw;
  Tensor tensor;
};

inline BorrowedIndices::BorrowedIndices(ArrayRef<TensorIndex> list)
    : all_(new BorrowedIndex[list.size()]), size_(list.size()) {
  for (size_t i = 0; i < size_; i++) {
    all_[i] = list[i].raw;
    all_[i].tensor = list[i].tensor.impl();
  }
}
inline Tensor Tensor::index(ArrayRef<TensorIndex> i) const {
  const BorrowedIndices all(i);
  return from(op::index, handle(), all.list());
}
inline Tensor& Tensor::index_put_(ArrayRef<TensorIndex> i, const Tensor& values) {
  return op::index_put_(handle(), BorrowedIndices(i).list(), values.handle()), *this;
}
inline Tensor& Tensor::index_put_(ArrayRef<TensorIndex> i, const Scalar& v) {
  return op::index_put_(handle(), BorrowedIndices(i).list(), v), *this;
}
inline Tensor Tensor::index(std::initializer_list<TensorIndex> i) const {
  return index(ArrayRef<TensorIndex>(i));
}
inline Tensor& Tensor::index_put_(std::initializer_list<TensorIndex> i, const Tensor& values) {
  return index_put_(ArrayRef<TensorIndex>(i), values);
}
inline Tensor& Tensor::index_put_(std::initializer_list<TensorIndex> i, const Scalar& v) {
  return index_put_(ArrayRef<TensorIndex>(i), v);
}

}  // namespace lean

namespace at::indexing {
using lean::Ellipsis;
using lean::EllipsisIndexType;
using lean::INDEX_MAX;
using lean::INDEX_MIN;
using lean::None;
using lean::Slice;
using lean::TensorIndex;
}  // namespace at::indexing
