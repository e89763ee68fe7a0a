// The values that describe a tensor, in the namespaces that torch has them in.
#pragma once
#include <lean/options.h>
#include <lean/scalar.h>

#ifdef LEAN_C10_COMPLEX
#include <c10/util/complex.h>  // the real one, whose layout kernels see
#endif

namespace c10 {
using lean::ArrayRef;
using lean::CppTypeToScalarType;
using lean::Device;
using lean::DeviceIndex;
using lean::DeviceType;
using lean::IntArrayRef;
using lean::Layout;
using lean::MemoryFormat;
using lean::Scalar;
using lean::ScalarType;
using lean::TensorOptions;
using lean::elementSize;
using lean::isComplexType;
using lean::isFloatingType;
using lean::isIntegralType;
using lean::isReducedFloatingType;
using lean::isQIntType;
using lean::promoteTypes;
using lean::scalarTypeToTypeMeta;
using lean::toString;
using lean::typeMetaToScalarType;
constexpr ScalarType kByte = ScalarType::Byte, kChar = ScalarType::Char, kShort = ScalarType::Short,
                     kInt = ScalarType::Int, kLong = ScalarType::Long, kHalf = ScalarType::Half,
                     kFloat = ScalarType::Float, kDouble = ScalarType::Double,
                     kBool = ScalarType::Bool, kBFloat16 = ScalarType::BFloat16,
                     kUInt16 = ScalarType::UInt16, kUInt32 = ScalarType::UInt32,
                     kUInt64 = ScalarType::UInt64, kFloat8_e5m2 = ScalarType::Float8_e5m2,
                     kFloat8_e4m3fn = ScalarType::Float8_e4m3fn;
constexpr DeviceType kCPU = DeviceType::CPU, kCUDA = DeviceType::CUDA;
constexpr Layout kStrided = Layout::Strided, kSparse = Layout::Sparse;
#ifdef LEAN_OPTIONAL
using std::make_optional;
using std::nullopt;
using std::nullopt_t;
using std::optional;
#endif
namespace impl {
template <ScalarType t>
using ScalarTypeToCPPType = lean::CppType<t>;
template <ScalarType t>
using ScalarTypeToCPPTypeT = typename lean::CppType<t>::type;
}  // namespace impl
}  // namespace c10

// As torch's Macros.h has it, at::cuda is another name of c10::cuda, whoever fills that.
namespace c10::cuda {}
namespace at::cuda {
using namespace c10::cuda;
}
namespace at {
using namespace c10;
using lean::device;
using lean::dtype;
using lean::layout;
using lean::requires_grad;
}  // namespace at
