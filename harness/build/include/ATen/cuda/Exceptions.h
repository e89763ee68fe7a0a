#pragma once
#include <c10/cuda/CUDAException.h>

#define AT_CUDA_CHECK(EXPR) C10_CUDA_CHECK(EXPR)
#ifdef LEAN_CUBLAS
#include <cublas_v2.h>
namespace at::cuda::blas {
// libtorch_cuda's own: declared, never defined.
const char* _cublasGetErrorEnum(cublasStatus_t error);
}  // namespace at::cuda::blas
#define TORCH_CUDABLAS_CHECK(EXPR)                                                         \
  do {                                                                                     \
    const cublasStatus_t lean_error = EXPR;                                                \
    TORCH_CHECK(lean_error == CUBLAS_STATUS_SUCCESS,                                       \
                "CUDA error: ", ::at::cuda::blas::_cublasGetErrorEnum(lean_error),         \
                " when calling `" #EXPR "`");                                              \
  } while (0)
#endif
