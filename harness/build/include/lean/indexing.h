// What stands between the brackets of x[1:, None] in Python: x.index({Slice(1), None}).
#pragma once
#include <lean/arguments.h>

#include <optional>

namespace lean {
class Tensor;

constexpr int64_t INDEX_MIN = -(int64_t{1} << 62), INDEX_MAX = -(INDEX_MIN + 1);

struct EllipsisIndexType {};
constexpr EllipsisIndexType Ellipsis{};
constexpr std::nullopt_t None = std::nullopt;

class Slice {
 public:
  Slice(std::optional<int64_t> start_index = std::nullopt,
        std::optional<int64_t> stop_index = std::nullopt,
        std::optional<int64_t> step_index = std::nullopt)
      : step_(step_index.value_or(1)) {
    TORCH_CHECK_VALUE(step_ != 0, "slice step cannot be zero");
    start_ = start_index.value_or(step_ < 0 ? INDEX_MAX : 0);
    stop_ = stop_index.value_or(step_ < 0 ? INDEX_MIN : INDEX_MAX);
  }
  int64_t start() const { return start_; }
  int64_t stop() const { return stop_; }
  int64_t step() const { return step_; }

 private:
  int64_t start_, stop_, step_;
};

// One index as libtorch has it, for the length of a call.
struct BorrowedIndex {
  enum class Type { None, Ellipsis, Integer, Boolean, Slice, Tensor };
  int64_t integer = 0;
  bool boolean = false;
  Slice slice{};
  const void* tensor = nullptr;
  Type type = Type::None;
};

struct TensorIndex;
// Several of them.
class BorrowedIndices {
 public:
  explicit BorrowedIndices(ArrayRef<TensorIndex>);
  BorrowedIndices(const BorrowedIndices&) = delete;
  ~BorrowedIndices() { delete[] all_; }
  ArrayRef<BorrowedIndex> list() const { return {all_, size_}; }

 private:
  BorrowedIndex* all_;
  size_t size_;
};

namespace op {
Returned index(Handle, ArrayRef<BorrowedIndex>)
    LEAN_SYMBOL("_ZNK2at6Tensor5indexEN3c108ArrayRefINS_8indexing11TensorIndexEEE");
void* index_put_(Handle, ArrayRef<BorrowedIndex>, Handle)
    LEAN_SYMBOL("_ZN2at6Tensor10index_put_EN3c108ArrayRefINS_8indexing11TensorIndexEEERKS0_");
void* index_put_(Handle, ArrayRef<BorrowedIndex>, const Scalar&) LEAN_SYMBOL(
    "_ZN2at6Tensor10index_put_EN3c108ArrayRefINS_8indexing11TensorIndexEEERKNS1_6ScalarE");
}  // namespace op

}  // namespace lean
