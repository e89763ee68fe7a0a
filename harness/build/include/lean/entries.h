// libtorch's entry points for what the lean headers always offer of ATen: `a + b`, `torch::zeros`.
// For all else, operators.py declares them in LEAN_ENTRIES as a source names it.
#pragma once
#include <lean/check.h>

namespace lean {

// A std::optional<at::Tensor> for the length of a call: it borrows the tensor and destroys nothing.
// Empty, it serves for any optional that is passed by address.
struct BorrowedOptional {
  const void* impl = nullptr;
  bool present = false;
};
// An at::TensorList, and the at::ITensorListRef that holds one.
struct BorrowedTensors {
  const void* const* impls;
  size_t size;
};
struct BorrowedEither {
  BorrowedTensors tensors;
  int tag = 0;
};
// c10::SymInt is passed by address, and a plain number is its own representation.
using SymInt = const int64_t&;

// The functions behind at::Tensor's methods and at::'s free functions.
namespace op {
using Type = Maybe<ScalarType>;
using Place = Maybe<Device>;
using Shape = Maybe<Layout>;
using Pin = Maybe<bool>;
using Format = Maybe<MemoryFormat>;
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

Returned contiguous(Handle, MemoryFormat)
    LEAN_SYMBOL("_ZN2at4_ops10contiguous4callERKNS_6TensorEN3c1012MemoryFormatE");
Returned select(Handle, int64_t, SymInt)
    LEAN_SYMBOL("_ZN2at4_ops10select_int4callERKNS_6TensorElN3c106SymIntE");
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
Scalar item(Handle) LEAN_SYMBOL("_ZN2at4_ops4item4callERKNS_6TensorE");
Returned neg(Handle) LEAN_SYMBOL("_ZN2at4_ops3neg4callERKNS_6TensorE");
Returned bitwise_not(Handle) LEAN_SYMBOL("_ZN2at4_ops11bitwise_not4callERKNS_6TensorE");

// For operators: one takes two tensors, one a tensor and a number; then the same in place, where
// the reference that they return is to their first argument.
#define LEAN_BINARY(name, tensor, scalar)                                                          \
  Returned name(Handle, Handle) LEAN_SYMBOL("_ZN2at4_ops" tensor "4callERKNS_6TensorES4_");        \
  Returned name##_scalar(Handle, const Scalar&)                                                    \
      LEAN_SYMBOL("_ZN2at4_ops" scalar "4callERKNS_6TensorERKN3c106ScalarE");
LEAN_BINARY(mul, "10mul_Tensor", "10mul_Scalar")
LEAN_BINARY(div, "10div_Tensor", "10div_Scalar")
LEAN_BINARY(remainder, "16remainder_Tensor", "16remainder_Scalar")
LEAN_BINARY(bitwise_and, "18bitwise_and_Tensor", "18bitwise_and_Scalar")
LEAN_BINARY(bitwise_or, "17bitwise_or_Tensor", "17bitwise_or_Scalar")
LEAN_BINARY(bitwise_xor, "18bitwise_xor_Tensor", "18bitwise_xor_Scalar")
LEAN_BINARY(lt, "9lt_Tensor", "9lt_Scalar")
LEAN_BINARY(le, "9le_Tensor", "9le_Scalar")
LEAN_BINARY(gt, "9gt_Tensor", "9gt_Scalar")
LEAN_BINARY(ge, "9ge_Tensor", "9ge_Scalar")
LEAN_BINARY(eq, "9eq_Tensor", "9eq_Scalar")
LEAN_BINARY(ne, "9ne_Tensor", "9ne_Scalar")
#undef LEAN_BINARY
#define LEAN_IN_PLACE(name, tensor, scalar)                                                 \
  void* name(Handle, Handle) LEAN_SYMBOL("_ZN2at4_ops" tensor "4callERNS_6TensorERKS2_");   \
  void* name(Handle, const Scalar&)                                                         \
      LEAN_SYMBOL("_ZN2at4_ops" scalar "4callERNS_6TensorERKN3c106ScalarE");
LEAN_IN_PLACE(mul_, "11mul__Tensor", "11mul__Scalar")
LEAN_IN_PLACE(div_, "11div__Tensor", "11div__Scalar")
LEAN_IN_PLACE(remainder_, "17remainder__Tensor", "17remainder__Scalar")
LEAN_IN_PLACE(bitwise_and_, "19bitwise_and__Tensor", "19bitwise_and__Scalar")
LEAN_IN_PLACE(bitwise_or_, "18bitwise_or__Tensor", "18bitwise_or__Scalar")
LEAN_IN_PLACE(bitwise_xor_, "19bitwise_xor__Tensor", "19bitwise_xor__Scalar")
#undef LEAN_IN_PLACE
Returned add(Handle, Handle, const Scalar&)
    LEAN_SYMBOL("_ZN2at4_ops10add_Tensor4callERKNS_6TensorES4_RKN3c106ScalarE");
Returned sub(Handle, Handle, const Scalar&)
    LEAN_SYMBOL("_ZN2at4_ops10sub_Tensor4callERKNS_6TensorES4_RKN3c106ScalarE");
Returned add_scalar(Handle, const Scalar&, const Scalar&)
    LEAN_SYMBOL("_ZN2at4_ops10add_Scalar4callERKNS_6TensorERKN3c106ScalarES8_");
Returned sub_scalar(Handle, const Scalar&, const Scalar&)
    LEAN_SYMBOL("_ZN2at4_ops10sub_Scalar4callERKNS_6TensorERKN3c106ScalarES8_");
void* add_(Handle, Handle, const Scalar&)
    LEAN_SYMBOL("_ZN2at4_ops11add__Tensor4callERNS_6TensorERKS2_RKN3c106ScalarE");
void* sub_(Handle, Handle, const Scalar&)
    LEAN_SYMBOL("_ZN2at4_ops11sub__Tensor4callERNS_6TensorERKS2_RKN3c106ScalarE");
void* add_(Handle, const Scalar&, const Scalar&)
    LEAN_SYMBOL("_ZN2at4_ops11add__Scalar4callERNS_6TensorERKN3c106ScalarES7_");
void* sub_(Handle, const Scalar&, const Scalar&)
    LEAN_SYMBOL("_ZN2at4_ops11sub__Scalar4callERNS_6TensorERKN3c106ScalarES7_");
void* copy_(Handle, Handle, bool) LEAN_SYMBOL("_ZN2at4_ops5copy_4callERNS_6TensorERKS2_b");
void* fill_(Handle, const Scalar&)
    LEAN_SYMBOL("_ZN2at4_ops12fill__Scalar4callERNS_6TensorERKN3c106ScalarE");
}  // namespace op
}  // namespace lean
