#pragma once
#include <c10/cuda/CUDAFunctions.h>
#ifdef LEAN_CUBLAS
#include <cublas_v2.h>
extern "C" int32_t torch_get_current_cuda_blas_handle(void** handle);
#endif

// What has no class of ours in its signature stays in namespace lean, lest it be mangled as torch's.
namespace lean {
inline int64_t getNumGPUs() { return c10::cuda::device_count(); }
inline bool is_available() { return c10::cuda::device_count() > 0; }
#ifdef LEAN_CUBLAS
inline cublasHandle_t getCurrentCUDABlasHandle() {
  void* handle = nullptr;
  TORCH_CHECK(torch_get_current_cuda_blas_handle(&handle) == 0, "no cuBLAS handle");
  return static_cast<cublasHandle_t>(handle);
}
#endif
}  // namespace lean

namespace at::cuda {
// libtorch_cuda's own: declared, never defined.
cudaDeviceProp* getCurrentDeviceProperties();
cudaDeviceProp* getDeviceProperties(c10::DeviceIndex device);
int warp_size();
using lean::getNumGPUs;
using lean::is_available;
#ifdef LEAN_CUBLAS
using lean::getCurrentCUDABlasHandle;
#endif
}  // namespace at::cuda
