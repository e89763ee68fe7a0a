#pragma once
#include <c10/cuda/CUDAFunctions.h>
#ifdef LEAN_CUBLAS
#include <cublas_v2.h>
extern "C" int32_t torch_get_current_cuda_blas_handle(void** handle);
#endif

namespace at::cuda {
inline int64_t getNumGPUs() { return c10::cuda::device_count(); }
inline bool is_available() { return c10::cuda::device_count() > 0; }
inline cudaDeviceProp* getCurrentDeviceProperties() { return lean::cuda_current_properties(); }
inline cudaDeviceProp* getDeviceProperties(c10::DeviceIndex device) {
  return lean::cuda_device_properties(device);
}
inline int warp_size() { return getCurrentDeviceProperties()->warpSize; }
#ifdef LEAN_CUBLAS
inline cublasHandle_t getCurrentCUDABlasHandle() {
  void* handle = nullptr;
  TORCH_CHECK(torch_get_current_cuda_blas_handle(&handle) == 0, "no cuBLAS handle");
  return static_cast<cublasHandle_t>(handle);
}
#endif
}  // namespace at::cuda
