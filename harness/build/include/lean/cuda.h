// The CUDA side: error checks, streams, device guards. Which header shows which of these names is
// for the headers in c10/cuda and ATen/cuda to say; they mirror torch's.
#pragma once
#ifdef LEAN_DRIVER
#include <cuda.h>
#endif
#include <cuda_runtime.h>
#include <lean/check.h>

extern "C" {
int32_t aoti_torch_get_current_cuda_stream(int32_t device, void** stream);
int32_t aoti_torch_create_cuda_guard(int32_t device, void** guard);
int32_t aoti_torch_delete_cuda_guard(void* guard);
int32_t aoti_torch_cuda_guard_set_index(void* guard, int32_t device);
int32_t aoti_torch_create_cuda_stream_guard(void* stream, int32_t device, void** guard);
int32_t aoti_torch_delete_cuda_stream_guard(void* guard);
int32_t torch_cuda_stream_synchronize(void* stream, int32_t device);
int32_t torch_c10_cuda_check_msg(int32_t error, const char* file, const char* function,
                                 uint32_t line, bool device_assertions, char** message);
void torch_c10_cuda_free_error_msg(char* message);
}

namespace lean {

// torch's own check has changed its signature between versions: take the one that is there.
#define LEAN_WEAK __attribute__((weak))
LEAN_WEAK void cuda_check_2_14(int32_t, const char*, const char*, uint32_t, bool, void*)
    LEAN_SYMBOL("_ZN3c104cuda29c10_cuda_check_implementationEiPKcS2_jbPNS0_19CUDAErrorLogCaptureE");
LEAN_WEAK void cuda_check_2_10(int32_t, const char*, const char*, uint32_t, bool)
    LEAN_SYMBOL("_ZN3c104cuda29c10_cuda_check_implementationEiPKcS2_jb");
LEAN_WEAK void cuda_check_signed(int32_t, const char*, const char*, int32_t, bool)
    LEAN_SYMBOL("_ZN3c104cuda29c10_cuda_check_implementationEiPKcS2_ib");
#undef LEAN_WEAK

[[noreturn]] inline void cuda_fail(cudaError_t error, const char* function, const char* file,
                                   uint32_t line) {
  const auto code = static_cast<int32_t>(error);
  if (cuda_check_2_14) cuda_check_2_14(code, file, function, line, true, nullptr);
  if (cuda_check_2_10) cuda_check_2_10(code, file, function, line, true);
  if (cuda_check_signed) cuda_check_signed(code, file, function, static_cast<int>(line), true);
  char* message = nullptr;
  torch_c10_cuda_check_msg(code, file, function, line, true, &message);
  Message text;
  text.add(message ? message : cudaGetErrorString(error));
  torch_c10_cuda_free_error_msg(message);
  torch_check_fail(function, file, line, text.c_str());
}

// For a function of the C interface that failed: it reports no more than that. A device that cannot
// be used is the usual cause, and CUDA says again what is wrong with it.
inline void cuda_need(int32_t failed, int device) {
  if (__builtin_expect(!failed, 1)) return;
  int usable = 0;
  cudaError_t error = cudaGetDeviceCount(&usable);
  if (error == cudaSuccess && device >= usable) error = cudaErrorInvalidDevice;
  if (error != cudaSuccess) cuda_fail(error, LEAN_WHERE);
  torch_check_fail(LEAN_WHERE, "a CUDA stream or device guard could not be had");
}

class CUDAStream {
 public:
  explicit CUDAStream(DeviceIndex device) : device_(device) {
    void* stream = nullptr;
    cuda_need(aoti_torch_get_current_cuda_stream(device, &stream), device);
    stream_ = static_cast<cudaStream_t>(stream);
  }
  cudaStream_t stream() const { return stream_; }
  operator cudaStream_t() const { return stream_; }
  DeviceIndex device_index() const {
    int current = device_;
    if (current < 0) cudaGetDevice(&current);
    return static_cast<DeviceIndex>(current);
  }
  Device device() const { return Device(DeviceType::CUDA, device_index()); }
  void synchronize() const { torch_cuda_stream_synchronize(stream_, device_index()); }
  bool operator==(const CUDAStream& o) const { return stream_ == o.stream_; }
  bool operator!=(const CUDAStream& o) const { return stream_ != o.stream_; }

 private:
  cudaStream_t stream_ = nullptr;
  DeviceIndex device_;
};
inline CUDAStream getCurrentCUDAStream(DeviceIndex device = -1) { return CUDAStream(device); }

// Makes a device current for a scope.
class CUDAGuard {
 public:
  explicit CUDAGuard(DeviceIndex index) {
    cuda_need(aoti_torch_create_cuda_guard(index, &guard_), index);
  }
  explicit CUDAGuard(Device d) : CUDAGuard(index_of(d)) {}
  CUDAGuard(const CUDAGuard&) = delete;
  CUDAGuard& operator=(const CUDAGuard&) = delete;
  ~CUDAGuard() { aoti_torch_delete_cuda_guard(guard_); }
  void set_index(DeviceIndex index) {
    cuda_need(aoti_torch_cuda_guard_set_index(guard_, index), index);
  }
  void set_device(Device d) { set_index(index_of(d)); }

  static DeviceIndex index_of(Device d) {
    TORCH_INTERNAL_ASSERT(d.is_cuda(), d);
    return d.index();
  }

 private:
  void* guard_ = nullptr;
};

class OptionalCUDAGuard {
 public:
  OptionalCUDAGuard() = default;
  explicit OptionalCUDAGuard(DeviceIndex index) { set_index(index); }
  explicit OptionalCUDAGuard(Device d) { set_device(d); }
  explicit OptionalCUDAGuard(const Maybe<Device>& d) {
    if (d.present) set_device(d.value);
  }
#ifdef LEAN_OPTIONAL
  explicit OptionalCUDAGuard(const std::optional<Device>& d) {
    if (d) set_device(*d);
  }
#endif
  OptionalCUDAGuard(const OptionalCUDAGuard&) = delete;
  OptionalCUDAGuard& operator=(const OptionalCUDAGuard&) = delete;
  ~OptionalCUDAGuard() { reset(); }
  void set_device(Device d) { set_index(CUDAGuard::index_of(d)); }
  void set_index(DeviceIndex index) {
    cuda_need(guard_ ? aoti_torch_cuda_guard_set_index(guard_, index)
                     : aoti_torch_create_cuda_guard(index, &guard_),
              index);
  }
  void reset() {
    if (guard_) aoti_torch_delete_cuda_guard(guard_);
    guard_ = nullptr;
  }

 private:
  void* guard_ = nullptr;
};

class CUDAStreamGuard {
 public:
  explicit CUDAStreamGuard(const CUDAStream& s) {
    cuda_need(aoti_torch_create_cuda_stream_guard(s.stream(), s.device_index(), &guard_),
              s.device_index());
  }
  CUDAStreamGuard(const CUDAStreamGuard&) = delete;
  CUDAStreamGuard& operator=(const CUDAStreamGuard&) = delete;
  ~CUDAStreamGuard() { aoti_torch_delete_cuda_stream_guard(guard_); }

 private:
  void* guard_ = nullptr;
};

}  // namespace lean
