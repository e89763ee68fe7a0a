// What holds for a scope: the current device, whether gradients are recorded.
#pragma once
#include <lean/tensor.h>

extern "C" {
bool aoti_torch_grad_mode_is_enabled();
void aoti_torch_grad_mode_set_enabled(bool);
// Weak, for a torch without CUDA has none of them.
__attribute__((weak)) int32_t aoti_torch_create_cuda_guard(int32_t device, void** guard);
__attribute__((weak)) int32_t aoti_torch_delete_cuda_guard(void* guard);
__attribute__((weak)) int32_t aoti_torch_cuda_guard_set_index(void* guard, int32_t device);
}

namespace lean {

class OptionalDeviceGuard {
 public:
  explicit OptionalDeviceGuard() = default;
  explicit OptionalDeviceGuard(Device d) { reset_device(d); }
  explicit OptionalDeviceGuard(const Maybe<Device>& d) {
    if (d.present) reset_device(d.value);
  }
#ifdef LEAN_OPTIONAL
  explicit OptionalDeviceGuard(const std::optional<Device>& d) {
    if (d) reset_device(*d);
  }
#endif
  OptionalDeviceGuard(const OptionalDeviceGuard&) = delete;
  OptionalDeviceGuard& operator=(const OptionalDeviceGuard&) = delete;
  ~OptionalDeviceGuard() {
    if (guard_) aoti_torch_delete_cuda_guard(guard_);
  }
  void reset_device(Device d) {
    if (!d.is_cuda()) return;  // there is one CPU, and it is always current
    TORCH_CHECK(aoti_torch_create_cuda_guard,
                "PyTorch is not linked with support for cuda devices");
    const int32_t failed = guard_ ? aoti_torch_cuda_guard_set_index(guard_, d.index())
                                  : aoti_torch_create_cuda_guard(d.index(), &guard_);
    TORCH_CHECK(!failed, "the device ", d, " could not be made current");
  }

 private:
  void* guard_ = nullptr;
};
class DeviceGuard : private OptionalDeviceGuard {
 public:
  explicit DeviceGuard(Device d) : OptionalDeviceGuard(d), type_(d.type()) {}
  using OptionalDeviceGuard::reset_device;
  void set_index(DeviceIndex i) { reset_device(Device(type_, i)); }

 private:
  DeviceType type_;
};

struct GradMode {
  static bool is_enabled() { return aoti_torch_grad_mode_is_enabled(); }
  static void set_enabled(bool on) { aoti_torch_grad_mode_set_enabled(on); }
};
class AutoGradMode {
 public:
  explicit AutoGradMode(bool on) : before_(GradMode::is_enabled()) { GradMode::set_enabled(on); }
  AutoGradMode(const AutoGradMode&) = delete;
  AutoGradMode& operator=(const AutoGradMode&) = delete;
  ~AutoGradMode() { GradMode::set_enabled(before_); }

 private:
  bool before_;
};
struct NoGradGuard : AutoGradMode {
  NoGradGuard() : AutoGradMode(false) {}
};

}  // namespace lean

namespace c10 {
using lean::AutoGradMode;
using lean::DeviceGuard;
using lean::GradMode;
using lean::NoGradGuard;
using lean::OptionalDeviceGuard;
}  // namespace c10
