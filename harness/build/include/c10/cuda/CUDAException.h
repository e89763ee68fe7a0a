#pragma once
#include <lean/cuda.h>

#define C10_CUDA_CHECK(EXPR)                                          \
  do {                                                                \
    const cudaError_t lean_error = EXPR;                              \
    if (__builtin_expect(lean_error != cudaSuccess, 0))               \
      ::lean::cuda_fail(lean_error, LEAN_WHERE);                      \
  } while (0)
#define C10_CUDA_KERNEL_LAUNCH_CHECK() C10_CUDA_CHECK(cudaGetLastError())
#define C10_CUDA_ERROR_HANDLED(EXPR) EXPR
#define C10_CUDA_IGNORE_ERROR(EXPR)                        \
  do {                                                     \
    const cudaError_t lean_error = EXPR;                   \
    if (lean_error != cudaSuccess) (void)cudaGetLastError(); \
  } while (0)
#define C10_CUDA_CLEAR_ERROR() \
  do {                         \
    (void)cudaGetLastError();  \
  } while (0)
