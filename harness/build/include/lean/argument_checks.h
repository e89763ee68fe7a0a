// What ATen/TensorUtils.h has to check a function's arguments: at::TensorArg, at::checkAllSameGPU...
#pragma once
#include <lean/tensor.h>

namespace lean {

struct TensorArg {
  TensorArg(const Tensor& t, const char* n, int p) : tensor(t), name(n), pos(p) {}
  TensorArg(Tensor&&, const char*, int) = delete;
  const Tensor* operator->() const { return &tensor; }
  const Tensor& operator*() const { return tensor; }
  const Tensor& tensor;
  const char* name;
  int pos;
};
using CheckedFrom = const char*;

// One of them as libtorch has it, for the length of a call.
struct BorrowedArg {
  BorrowedArg() = default;
  explicit BorrowedArg(const TensorArg& a) : tensor(a.tensor.handle()), name(a.name), pos(a.pos) {}
  Handle tensor = nullptr;
  const char* name = nullptr;
  int pos = 0;
};
class BorrowedArgs {
 public:
  explicit BorrowedArgs(ArrayRef<TensorArg> args)
      : all_(new BorrowedArg[args.size()]), size_(args.size()) {
    for (size_t i = 0; i < size_; i++) all_[i] = BorrowedArg(args[i]);
  }
  BorrowedArgs(const BorrowedArgs&) = delete;
  ~BorrowedArgs() { delete[] all_; }
  ArrayRef<BorrowedArg> list() const { return {all_, size_}; }

 private:
  BorrowedArg* all_;
  size_t size_;
};

// A TensorGeometryArg for the length of a call: its vectors are the tensor's own sizes and strides.
class GeometryArg {
 public:
  GeometryArg(TensorArg a) : name_(a.name), pos_(a.pos) {
    TORCH_CHECK(a->defined(), "sym_strides() called on an undefined Tensor");
    sizes_ = a->sizes();
    strides_ = a->strides();
    offset_ = a->storage_offset();
    numel_ = a->numel();
  }

 private:
  struct Vector {
    Vector& operator=(IntArrayRef list) {
      begin = list.begin();
      end = capacity = list.end();
      return *this;
    }
    const int64_t *begin = nullptr, *end = nullptr, *capacity = nullptr;
  };
  Vector sizes_, strides_;
  int64_t offset_, numel_;
  bool symbolic_ = false;
  const char* name_;
  int pos_;
};

#define LEAN_CHECK(name, length, signature, parameters) \
  void name parameters LEAN_SYMBOL("_ZN2at" length #name "EPKc" signature);
#define LEAN_ARGS "N3c108ArrayRefINS_9TensorArgEEE"
#define LEAN_GEOMETRY "RKNS_17TensorGeometryArgE"
// With nothing but numbers and tensors beside them, these are libtorch's as they stand.
LEAN_CHECK(checkContiguous, "15", LEAN_GEOMETRY, (CheckedFrom, const GeometryArg&))
LEAN_CHECK(checkDim, "8", LEAN_GEOMETRY "l", (CheckedFrom, const GeometryArg&, int64_t))
LEAN_CHECK(checkDimRange, "13", LEAN_GEOMETRY "ll",
           (CheckedFrom, const GeometryArg&, int64_t, int64_t))
LEAN_CHECK(checkNumel, "10", LEAN_GEOMETRY "l", (CheckedFrom, const GeometryArg&, int64_t))
LEAN_CHECK(checkSameDim, "12", LEAN_GEOMETRY "S4_",
           (CheckedFrom, const GeometryArg&, const GeometryArg&))
LEAN_CHECK(checkSize, "9", LEAN_GEOMETRY "N3c108ArrayRefIlEE",
           (CheckedFrom, const GeometryArg&, IntArrayRef))
LEAN_CHECK(checkSize, "9", LEAN_GEOMETRY "ll", (CheckedFrom, const GeometryArg&, int64_t, int64_t))

namespace op {
LEAN_CHECK(checkDim, "8", "RKNS_6TensorES1_il", (CheckedFrom, Handle, const char*, int, int64_t))
LEAN_CHECK(checkDefined, "12", "RKNS_9TensorArgE", (CheckedFrom, const BorrowedArg&))
LEAN_CHECK(checkScalarType, "15", "RKNS_9TensorArgEN3c1010ScalarTypeE",
           (CheckedFrom, const BorrowedArg&, ScalarType))
LEAN_CHECK(checkScalarTypes, "16", "RKNS_9TensorArgEN3c108ArrayRefINS5_10ScalarTypeEEE",
           (CheckedFrom, const BorrowedArg&, ArrayRef<ScalarType>))
LEAN_CHECK(checkDeviceType, "15", "N3c108ArrayRefINS_6TensorEEENS2_10DeviceTypeE",
           (CheckedFrom, BorrowedTensors, DeviceType))
LEAN_CHECK(checkLayout, "11", "N3c108ArrayRefINS_6TensorEEENS2_6LayoutE",
           (CheckedFrom, BorrowedTensors, Layout))
LEAN_CHECK(checkLayout, "11", "RKNS_6TensorEN3c106LayoutE", (CheckedFrom, Handle, Layout))
void check_dim_size(Handle, int64_t, int64_t, int64_t)
    LEAN_SYMBOL("_ZN2at14check_dim_sizeERKNS_6TensorElll");
void* maybe_data_ptr(Handle) LEAN_SYMBOL("_ZN2at14maybe_data_ptrERKNS_6TensorE");
}  // namespace op

inline void checkDim(CheckedFrom c, const Tensor& t, const char* name, int pos, int64_t dim) {
  op::checkDim(c, t.handle(), name, pos, dim);
}
inline void checkDefined(CheckedFrom c, const TensorArg& t) { op::checkDefined(c, BorrowedArg(t)); }
inline void checkScalarType(CheckedFrom c, const TensorArg& t, ScalarType s) {
  op::checkScalarType(c, BorrowedArg(t), s);
}
inline void checkScalarTypes(CheckedFrom c, const TensorArg& t, ArrayRef<ScalarType> l) {
  op::checkScalarTypes(c, BorrowedArg(t), l);
}
inline void checkDeviceType(CheckedFrom c, TensorList tensors, DeviceType device_type) {
  op::checkDeviceType(c, BorrowedList(tensors).tensors(), device_type);
}
inline void checkLayout(CheckedFrom c, const Tensor& t, Layout layout) {
  op::checkLayout(c, t.handle(), layout);
}
inline void checkLayout(CheckedFrom c, TensorList tensors, Layout layout) {
  op::checkLayout(c, BorrowedList(tensors).tensors(), layout);
}
inline void check_dim_size(const Tensor& t, int64_t dim, int64_t dim_size, int64_t size) {
  op::check_dim_size(t.handle(), dim, dim_size, size);
}
inline void* maybe_data_ptr(const Tensor& t) { return op::maybe_data_ptr(t.handle()); }
inline void* maybe_data_ptr(const TensorArg& t) { return maybe_data_ptr(*t); }

#define LEAN_PAIR(name, length)                                                        \
  namespace op {                                                                       \
  LEAN_CHECK(name, length, "RKNS_9TensorArgES4_",                                      \
             (CheckedFrom, const BorrowedArg&, const BorrowedArg&))                    \
  }                                                                                    \
  inline void name(CheckedFrom c, const TensorArg& t1, const TensorArg& t2) {          \
    op::name(c, BorrowedArg(t1), BorrowedArg(t2));                                     \
  }
LEAN_PAIR(checkSameGPU, "12")
LEAN_PAIR(checkSameNumel, "14")
LEAN_PAIR(checkSameSize, "13")
LEAN_PAIR(checkSameType, "13")
#undef LEAN_PAIR
#define LEAN_ALL(name, length)                                             \
  namespace op {                                                           \
  LEAN_CHECK(name, length, LEAN_ARGS, (CheckedFrom, ArrayRef<BorrowedArg>)) \
  }                                                                        \
  inline void name(CheckedFrom c, ArrayRef<TensorArg> tensors) {           \
    op::name(c, BorrowedArgs(tensors).list());                             \
  }
LEAN_ALL(checkAllContiguous, "18")
LEAN_ALL(checkAllDefined, "15")
LEAN_ALL(checkAllSameGPU, "15")
LEAN_ALL(checkAllSameNumel, "17")
LEAN_ALL(checkAllSameSize, "16")
LEAN_ALL(checkAllSameType, "16")
#undef LEAN_ALL
#undef LEAN_ARGS
#undef LEAN_CHECK
#undef LEAN_GEOMETRY

}  // namespace lean

namespace at {
using lean::CheckedFrom;
using lean::TensorArg;
using lean::checkAllContiguous;
using lean::checkAllDefined;
using lean::checkAllSameGPU;
using lean::checkAllSameNumel;
using lean::checkAllSameSize;
using lean::checkAllSameType;
using lean::checkContiguous;
using lean::checkDefined;
using lean::checkDeviceType;
using lean::checkDim;
using lean::checkDimRange;
using lean::checkLayout;
using lean::checkNumel;
using lean::checkSameDim;
using lean::checkSameGPU;
using lean::checkSameNumel;
using lean::checkSameSize;
using lean::checkSameType;
using lean::checkScalarType;
using lean::checkScalarTypes;
using lean::checkSize;
using lean::check_dim_size;
using lean::maybe_data_ptr;
}  // namespace at
