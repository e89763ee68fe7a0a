"""CUDA sources in the styles that people use, and some that the real headers refuse."""

from __future__ import annotations

import torch

from corpus.case import Case, floats
from corpus.parts import ops

F32, F64, F16, BF16 = torch.float32, torch.float64, torch.float16, torch.bfloat16
ALL = (F32, F64, F16, BF16)


def _unary(name: str, includes: str, body: str, cpp: str = "", **more: object) -> Case:
    """A case with one elementwise float kernel; `body` is its host function `torch::Tensor f`."""
    kernel = r"""
__global__ void @kernel@(const float* in, float* out, int64_t n) {
  const int64_t i = blockIdx.x * int64_t(blockDim.x) + threadIdx.x;
  if (i < n) out[i] = in[i] > 0.f ? in[i] : 0.01f * in[i];
}
""".replace("@kernel@", f"{name}_kernel")
    return Case(
        name,
        cpp or "torch::Tensor f(torch::Tensor x);",
        lambda m, d: [
            lambda: m.f(floats(33, 7, device=d)),
            lambda: m.f(floats(1025, device=d)),
            lambda: m.f(floats(4, device=d).double()),
            lambda: m.f(floats(4)),
        ],
        ["f"],
        includes + kernel + body.replace("@kernel@", f"{name}_kernel"),
        **more,  # type: ignore[arg-type]
    )


_CHECKED = r"""
torch::Tensor f(torch::Tensor x) {
  TORCH_CHECK(x.is_cuda(), "x must be a CUDA tensor");
  auto y = torch::empty_like(x);
  const int64_t n = x.numel();
  %s
  return y;
}
"""

CASES = [
    _unary(
        "seed_style",
        "#include <torch/extension.h>\n#include <cuda_runtime.h>\n#include <math.h>\n",
        _CHECKED
        % "@kernel@<<<(n + 255) / 256, 256>>>(x.data_ptr<float>(), y.data_ptr<float>(), n);",
    ),
    _unary(
        "implicit_headers_only",
        "",
        _CHECKED
        % "@kernel@<<<(n + 255) / 256, 256>>>(x.data_ptr<float>(), y.data_ptr<float>(), n);",
    ),
    _unary(
        "current_stream",
        "#include <torch/extension.h>\n#include <ATen/cuda/CUDAContext.h>\n",
        _CHECKED
        % """auto stream = at::cuda::getCurrentCUDAStream();
  @kernel@<<<(n + 255) / 256, 256, 0, stream>>>(x.data_ptr<float>(), y.data_ptr<float>(), n);
  AT_CUDA_CHECK(cudaGetLastError());""",
    ),
    _unary(
        "c10_stream",
        "#include <torch/extension.h>\n#include <c10/cuda/CUDAStream.h>\n",
        _CHECKED
        % """cudaStream_t stream = c10::cuda::getCurrentCUDAStream(x.get_device()).stream();
  @kernel@<<<(n + 255) / 256, 256, 0, stream>>>(x.data_ptr<float>(), y.data_ptr<float>(), n);
  C10_CUDA_KERNEL_LAUNCH_CHECK();""",
    ),
    _unary(
        "device_guard",
        "#include <torch/extension.h>\n#include <c10/cuda/CUDAGuard.h>\n",
        _CHECKED
        % """const at::cuda::OptionalCUDAGuard device_guard(device_of(x));
  c10::cuda::CUDAGuard guard(x.device());
  at::cuda::CUDAGuard by_index(x.get_device());
  @kernel@<<<(n + 255) / 256, 256, 0, at::cuda::getCurrentCUDAStream()>>>(
      x.data_ptr<float>(), y.data_ptr<float>(), n);
  C10_CUDA_CHECK(cudaGetLastError());""",
    ),
    _unary(
        "launch_failure",
        "#include <torch/extension.h>\n#include <c10/cuda/CUDAException.h>\n",
        _CHECKED
        % """@kernel@<<<1, 4096>>>(x.data_ptr<float>(), y.data_ptr<float>(), n);
  C10_CUDA_KERNEL_LAUNCH_CHECK();""",
    ),
    _unary(
        "device_properties",
        "#include <torch/types.h>\n#include <ATen/cuda/CUDAContext.h>\n",
        _CHECKED
        % """const cudaDeviceProp* p = at::cuda::getCurrentDeviceProperties();
  const int blocks = p->multiProcessorCount > 0 ? (n + 255) / 256 : 0;
  @kernel@<<<blocks, 256>>>(x.data_ptr<float>(), y.data_ptr<float>(), n);""",
    ),
    _unary(
        "at_namespace",
        "#include <ATen/ATen.h>\n#include <cuda.h>\n",
        """at::Tensor f(at::Tensor x) {
  AT_ASSERTM(x.dim() > 0, "its message would name the file");
  TORCH_CHECK(x.is_cuda(), "x must be a CUDA tensor");
  at::Tensor y = at::zeros(x.sizes(), x.options());
  const auto n = x.numel();
  @kernel@<<<(n + 255) / 256, 256>>>(x.data_ptr<float>(), y.data_ptr<float>(), n);
  return y;
}
""",
        cpp="at::Tensor f(at::Tensor x);",
    ),
    _unary(
        "explicit_options",
        "#include <torch/extension.h>\n",
        """torch::Tensor f(torch::Tensor x) {
  if (!x.is_cuda()) AT_ERROR("x must be CUDA, is on ", x.device());
  x = x.contiguous();
  auto y = torch::zeros({x.numel()},
                        torch::TensorOptions().dtype(torch::kFloat32).device(torch::kCUDA));
  const int n = x.numel();
  @kernel@<<<(n + 255) / 256, 256>>>(x.data_ptr<float>(), y.data_ptr<float>(), n);
  auto z = torch::empty({n}, torch::dtype(torch::kFloat).device(torch::kCUDA, 0));
  cudaMemcpyAsync(z.data_ptr(), y.data_ptr(), y.nbytes(), cudaMemcpyDeviceToDevice);
  return z.view(x.sizes());
}
""",
    ),
    Case(
        "dispatch_all_floats",
        "torch::Tensor silu(torch::Tensor x);",
        lambda m, d: [
            *[lambda t=t: m.silu(floats(1000, dtype=t, device=d)) for t in ALL],
            lambda: m.silu(torch.arange(4, device=d)),
        ],
        ["silu"],
        r"""
#include <torch/extension.h>
#include <c10/cuda/CUDAException.h>
template <typename scalar_t>
__global__ void silu_kernel(const scalar_t* __restrict__ in, scalar_t* out, int64_t n) {
  const int64_t i = blockIdx.x * int64_t(blockDim.x) + threadIdx.x;
  if (i >= n) return;
  const scalar_t x = in[i];
  const float v = static_cast<float>(x);
  out[i] = static_cast<scalar_t>(v / (1.f + expf(-v))) + x * x - x / scalar_t(3);
}
torch::Tensor silu(torch::Tensor x) {
  auto y = torch::empty_like(x);
  const int64_t n = x.numel();
  AT_DISPATCH_FLOATING_TYPES_AND2(
      torch::kHalf, torch::kBFloat16, x.scalar_type(), "silu", ([&] {
        silu_kernel<scalar_t><<<(n + 255) / 256, 256>>>(x.data_ptr<scalar_t>(),
                                                        y.data_ptr<scalar_t>(), n);
      }));
  C10_CUDA_KERNEL_LAUNCH_CHECK();
  return y;
}
""",
    ),
    Case(
        "dispatch_half",
        "torch::Tensor f(torch::Tensor x);",
        lambda m, d: [lambda t=t: m.f(floats(500, dtype=t, device=d)) for t in ALL],
        ["f"],
        r"""
#include <torch/extension.h>
template <typename scalar_t>
__global__ void dispatch_half_kernel(const scalar_t* in, scalar_t* out, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) out[i] = in[i] > scalar_t(0) ? in[i] * in[i] : -in[i];
}
torch::Tensor f(torch::Tensor x) {
  auto y = torch::zeros_like(x);
  const int threads = 128, n = x.numel();
  AT_DISPATCH_FLOATING_TYPES_AND_HALF(x.scalar_type(), "f", [&] {
    dispatch_half_kernel<scalar_t><<<(n + threads - 1) / threads, threads>>>(
        x.data_ptr<scalar_t>(), y.data_ptr<scalar_t>(), n);
  });
  return y;
}
""",
    ),
    Case(
        "raw_half_pointers",
        "torch::Tensor f(torch::Tensor x);",
        lambda m, d: [lambda: m.f(floats(512, dtype=F16, device=d))],
        ["f"],
        r"""
#include <torch/extension.h>
#include <cuda_fp16.h>
__global__ void raw_half_kernel(const __half* in, __half* out, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) out[i] = __float2half(__half2float(in[i]) * 1.5f);
}
torch::Tensor f(torch::Tensor x) {
  auto y = torch::empty_like(x);
  const int n = x.numel();
  raw_half_kernel<<<(n + 255) / 256, 256>>>(reinterpret_cast<const __half*>(x.data_ptr<at::Half>()),
                                            reinterpret_cast<__half*>(y.data_ptr()), n);
  return y;
}
""",
    ),
    Case(
        "header_free",
        """#include <cstdint>
extern "C" void scale_launch(int64_t in, int64_t out, int64_t n, double by, int64_t stream);
""",
        lambda m, d: [
            lambda: (lambda x, y: (m.scale_launch(x.data_ptr(), y.data_ptr(), 999, 2.5, 0), y))(
                floats(999, device=d), torch.zeros(999, device=d)
            ),
        ],
        ["scale_launch"],
        r"""
#include <cstdint>
__global__ void scale_kernel(const float* in, float* out, int64_t n, float by) {
  const int64_t i = blockIdx.x * int64_t(blockDim.x) + threadIdx.x;
  if (i < n) out[i] = in[i] * by;
}
extern "C" void scale_launch(int64_t in, int64_t out, int64_t n, double by, int64_t stream) {
  scale_kernel<<<(n + 255) / 256, 256, 0, reinterpret_cast<cudaStream_t>(stream)>>>(
      reinterpret_cast<const float*>(in), reinterpret_cast<float*>(out), n, float(by));
}
""",
    ),
    Case(
        "shared_memory_reduction",
        "torch::Tensor row_sum(const torch::Tensor& x, bool mean);",
        lambda m, d: [
            lambda: m.row_sum(torch.arange(6000.0, device=d).view(6, 1000), False),
            lambda: m.row_sum(torch.arange(6000.0, device=d).view(1000, 6).t(), True),
            lambda: m.row_sum(torch.ones(3, device=d), True),
        ],
        ["row_sum"],
        r"""
#include <torch/extension.h>
#include <vector>
__inline__ __device__ float warp_sum(float v) {
  for (int o = 16; o > 0; o >>= 1) v += __shfl_down_sync(0xffffffffu, v, o);
  return v;
}
__global__ void row_sum_kernel(const float* __restrict__ x, float* out, int cols, float scale) {
  __shared__ float part[32];
  float v = 0.f;
  for (int c = threadIdx.x; c < cols; c += blockDim.x) v += x[blockIdx.x * int64_t(cols) + c];
  v = warp_sum(v);
  if (threadIdx.x % 32 == 0) part[threadIdx.x / 32] = v;
  __syncthreads();
  if (threadIdx.x < 32) {
    v = threadIdx.x < blockDim.x / 32 ? part[threadIdx.x] : 0.f;
    v = warp_sum(v);
    if (threadIdx.x == 0) out[blockIdx.x] = v * scale;
  }
}
torch::Tensor row_sum(const torch::Tensor& x, bool mean) {
  TORCH_CHECK(x.dim() == 2, "Expected a matrix, got ", x.dim(), " dimensions");
  auto in = x.contiguous();
  const int rows = in.size(0), cols = in.size(1);
  auto out = torch::empty({rows}, in.options());
  row_sum_kernel<<<dim3(rows), dim3(256)>>>(in.data_ptr<float>(), out.data_ptr<float>(), cols,
                                            mean ? 1.f / cols : 1.f);
  return out;
}
""",
    ),
    Case(
        "several_functions",
        """#include <torch/extension.h>
std::vector<torch::Tensor> both(torch::Tensor a, torch::Tensor b);
torch::Tensor add_scaled(torch::Tensor a, torch::Tensor b, c10::optional<double> alpha);
int64_t launches();
""",
        lambda m, d: [
            lambda: m.both(floats(64, device=d), torch.ones(64, device=d)),
            lambda: m.add_scaled(floats(64, device=d), torch.ones(64, device=d), None),
            lambda: m.add_scaled(floats(64, device=d), torch.ones(64, device=d), 0.25),
            lambda: m.launches(),
        ],
        ["both", "add_scaled", "launches"],
        r"""
#include <torch/extension.h>
#include <c10/util/Optional.h>
static int64_t count = 0;
__global__ void add_kernel(const float* a, const float* b, float* c, float alpha, int n) {
  for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += gridDim.x * blockDim.x)
    c[i] = a[i] + alpha * b[i];
}
torch::Tensor add_scaled(torch::Tensor a, torch::Tensor b, c10::optional<double> alpha) {
  auto c = torch::empty(a.sizes(), a.options());
  add_kernel<<<4, 64>>>(a.data_ptr<float>(), b.data_ptr<float>(), c.data_ptr<float>(),
                        alpha.value_or(1.0), a.numel());
  ++count;
  return c;
}
std::vector<torch::Tensor> both(torch::Tensor a, torch::Tensor b) {
  return {add_scaled(a, b, 1.0), add_scaled(a, b, -1.0)};
}
int64_t launches() { return count; }
""",
    ),
    Case(
        "pybind_in_cuda",
        "",
        lambda m, d: [
            lambda: m.forward(torch.arange(32.0, device=d), 3),
            lambda: m.forward(x=torch.arange(32.0, device=d)),
            lambda: m.forward(1, 2),
        ],
        None,
        r"""
#include <torch/extension.h>
__global__ void mul_kernel(const float* x, float* y, int n, int by) {
  int i = threadIdx.x;
  if (i < n) y[i] = x[i] * by;
}
torch::Tensor forward(torch::Tensor x, int by) {
  auto y = torch::empty_like(x);
  mul_kernel<<<1, 32>>>(x.data_ptr<float>(), y.data_ptr<float>(), x.numel(), by);
  return y;
}
PYBIND11_MODULE(TORCH_EXTENSION_NAME, m) {
  m.def("forward", &forward, "forward", py::arg("x"), py::arg("by") = 2);
}
""",
    ),
    Case(
        "pybind_in_cpp",
        r"""
#include <torch/extension.h>
torch::Tensor forward_cuda(torch::Tensor x);
#define CHECK_CUDA(x) TORCH_CHECK(x.device().is_cuda(), #x " must be a CUDA tensor")
#define CHECK_CONTIGUOUS(x) TORCH_CHECK(x.is_contiguous(), #x " must be contiguous")
#define CHECK_INPUT(x) CHECK_CUDA(x); CHECK_CONTIGUOUS(x)
torch::Tensor forward(torch::Tensor x) {
  CHECK_INPUT(x);
  return forward_cuda(x);
}
PYBIND11_MODULE(TORCH_EXTENSION_NAME, m) { m.def("forward", &forward, "forward (CUDA)"); }
""",
        lambda m, d: [
            lambda: m.forward(torch.arange(32.0, device=d)),
            lambda: m.forward(torch.arange(32.0)),
            lambda: m.forward(torch.arange(32.0, device=d)[::2]),
        ],
        None,
        r"""
#include <torch/extension.h>
__global__ void neg_kernel(const float* x, float* y) { y[threadIdx.x] = -x[threadIdx.x]; }
torch::Tensor forward_cuda(torch::Tensor x) {
  auto y = torch::empty_like(x);
  neg_kernel<<<1, x.numel()>>>(x.data_ptr<float>(), y.data_ptr<float>());
  return y;
}
""",
    ),
    Case(
        "aten_inside",
        "torch::Tensor f(torch::Tensor x, torch::Tensor w, torch::Tensor b);",
        lambda m, d: [
            lambda: m.f(
                torch.arange(12.0, device=d).view(3, 4),
                torch.ones(5, 4, device=d),
                torch.zeros(5, device=d),
            ),
            lambda: m.f(torch.ones(3, 4, device=d), torch.ones(5, 3, device=d), torch.zeros(5)),
        ],
        ["f"],
        r"""
#include <torch/extension.h>
__global__ void halve(float* x, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) x[i] *= 0.5f;
}
torch::Tensor f(torch::Tensor x, torch::Tensor w, torch::Tensor b) {
  auto y = torch::matmul(x, w.t()) + b;
  halve<<<(y.numel() + 255) / 256, 256>>>(y.data_ptr<float>(), y.numel());
  return y.sum(1).view({-1, 1}) * 2;
}
""",
    ),
    Case(
        "integers_and_bool",
        "torch::Tensor positive(torch::Tensor x);",
        lambda m, d: [
            *[
                lambda t=t: m.positive(torch.arange(-4, 4, device=d).to(t))
                for t in (torch.int32, torch.int64, torch.int8, torch.int16, F32)
            ],
            lambda: m.positive(torch.ones(3, device=d).half()),
        ],
        ["positive"],
        r"""
#include <torch/extension.h>
template <typename T>
__global__ void positive_kernel(const T* x, bool* y, int64_t n) {
  int64_t i = threadIdx.x;
  if (i < n) y[i] = x[i] > 0;
}
torch::Tensor positive(torch::Tensor x) {
  auto y = torch::empty(x.sizes(), x.options().dtype(torch::kBool));
  AT_DISPATCH_ALL_TYPES(x.scalar_type(), "positive", [&] {
    positive_kernel<<<1, 256>>>(x.data_ptr<scalar_t>(), y.data_ptr<bool>(), x.numel());
  });
  return y;
}
""",
    ),
    Case(
        "std_in_host_code",
        "torch::Tensor f(torch::Tensor x, std::vector<int64_t> shape, std::string mode);",
        lambda m, d: [
            lambda: m.f(torch.arange(6.0, device=d), [2, 3], "double"),
            lambda: m.f(torch.arange(6.0, device=d), [2, 2], "double"),
            lambda: m.f(torch.arange(6.0, device=d), [2, 3], "half"),
        ],
        ["f"],
        r"""
#include <torch/extension.h>
#include <cuda_runtime.h>
__global__ void by_kernel(const float* x, float* y, int n, float by) {
  int i = threadIdx.x;
  if (i < n) y[i] = fmaxf(x[i], -INFINITY) * by;
}
torch::Tensor f(torch::Tensor x, std::vector<int64_t> shape, std::string mode) {
  std::unordered_map<std::string, float> modes{{"double", 2.f}, {"triple", 3.f}};
  auto found = modes.find(mode);
  if (found == modes.end()) throw std::invalid_argument("unknown mode " + mode);
  auto y = torch::empty(shape, x.options());
  TORCH_CHECK(std::min<int64_t>(y.numel(), x.numel()) == x.numel(), "too small: ", y.sizes());
  by_kernel<<<1, std::max(32, static_cast<int>(x.numel()))>>>(
      x.data_ptr<float>(), y.data_ptr<float>(), x.numel(), found->second);
  if (x.numel() > 100) std::cout << "large" << std::endl;
  return y;
}
""",
    ),
    Case(
        "packed_accessor",
        "torch::Tensor f(torch::Tensor x);",
        lambda m, d: [
            lambda: m.f(torch.arange(12.0, device=d).view(3, 4)),
            lambda: m.f(torch.arange(12.0, device=d).view(4, 3).t()),
            lambda: m.f(torch.arange(12.0, device=d)),
            lambda: m.f(torch.arange(12, device=d).view(3, 4)),
        ],
        ["f"],
        r"""
#include <torch/extension.h>
template <typename T>
__global__ void twice_kernel(torch::PackedTensorAccessor32<T, 2, torch::RestrictPtrTraits> x) {
  if (threadIdx.x < x.size(1)) x[blockIdx.x][threadIdx.x] *= 2;
}
torch::Tensor f(torch::Tensor x) {
  twice_kernel<float><<<x.size(0), 32>>>(x.packed_accessor32<float, 2, torch::RestrictPtrTraits>());
  return x;
}
""",
    ),
    _unary(
        "any_device_guard",
        "#include <torch/extension.h>\n",
        _CHECKED
        % """const at::DeviceGuard guard(x.device());
  torch::DeviceGuard same(y.device());
  const at::OptionalDeviceGuard optional(device_of(x));
  same.set_index(x.get_device());
  @kernel@<<<(n + 255) / 256, 256>>>(x.data_ptr<float>(), y.data_ptr<float>(), n);""",
    ),
    _unary(
        "options_and_limits",
        "#include <torch/extension.h>\n",
        _CHECKED
        % """TORCH_CHECK(x.options().dtype() == torch::kFloat, "not for ", x.options());
  std::vector<int64_t> shape = x.sizes().vec();
  TORCH_CHECK(n < INT_MAX && FLT_MAX < DBL_MAX && FLT_EPSILON > 0, "limits");
  @kernel@<<<(n + 255) / 256, 256>>>(x.data_ptr<float>(), y.data_ptr<float>(), n);
  y = y.view(shape) * torch::tensor({2.0}, y.options()) + torch::full({1}, x.size(0), y.options());
  return torch::where(y > FLT_MAX, x, y).view_as(x);""",
    ),
    Case(
        "more_aten_inside",
        "std::vector<torch::Tensor> f(torch::Tensor x, torch::Tensor w, at::IntArrayRef shape);",
        lambda m, d: [
            lambda: m.f(
                torch.arange(64.0, device=d).view(1, 4, 4, 4) / 64,
                torch.ones(2, 4, 3, 3, device=d),
                [4, -1],
            ),
            lambda: m.f(torch.ones(1, 4, 4, 4, device=d), torch.ones(2, 3, 3, 3, device=d), [4, 1]),
        ],
        ["f"],
        r"""
#include <torch/extension.h>
__global__ void more_kernel(float* x, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) x[i] = fmaxf(x[i], -FLT_MAX) + 1.f;
}
std::vector<torch::Tensor> f(torch::Tensor x, torch::Tensor w, at::IntArrayRef shape) {
  torch::NoGradGuard no_grad;
  auto y = torch::conv2d(x, w, {}, 1, 1);
  more_kernel<<<(y.numel() + 255) / 256, 256>>>(y.data_ptr<float>(), y.numel());
  auto [values, indices] = y.max(1);
  auto pooled = torch::max_pool2d(y, 2).flatten(1);
  return {y, values, indices, pooled, torch::cat({pooled, pooled}, 1), torch::stack({x, x}),
          x.sum({1, 2}), torch::sum(x, {2}, true), torch::mean(x, {1, 2}), x.gt(0.5), 1 - x,
          torch::layer_norm(x, {4}), at::gelu(x, "tanh"), x.slice(1, 0, 2).contiguous(),
          torch::arange(4, x.options()), x.view(shape), torch::where(x > 0.5, x, 0.0)};
}
""",
    ),
    Case(
        "library_in_cuda",
        r"""
#include <torch/extension.h>
PYBIND11_MODULE(TORCH_EXTENSION_NAME, m) {}
""",
        lambda m, d: [
            lambda: ops(m).scaled(floats(33, device=d), 1.5),
            lambda: ops(m).scaled(floats(33, device=d), by=2),
            lambda: ops(m).scaled(floats(3, device=d), 0.0),
        ],
        None,
        r"""
#include <torch/extension.h>
#include <torch/library.h>
__global__ void scaled_kernel(const float* x, float* y, int n, float by) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) y[i] = x[i] * by;
}
at::Tensor scaled(const at::Tensor& x, double by) {
  TORCH_CHECK(by != 0, "by is zero");
  auto y = at::empty_like(x);
  scaled_kernel<<<1, 64>>>(x.data_ptr<float>(), y.data_ptr<float>(), x.numel(), by);
  return y;
}
TORCH_LIBRARY(TORCH_EXTENSION_NAME, m) { m.def("scaled(Tensor x, float by) -> Tensor"); }
TORCH_LIBRARY_IMPL(TORCH_EXTENSION_NAME, CUDA, m) { m.impl("scaled", &scaled); }
""",
    ),
    _unary(
        "helpers_of_kernels",
        """#include <torch/extension.h>
#include <ATen/NumericUtils.h>
#include <ATen/ceil_div.h>
#include <ATen/cuda/CUDAApplyUtils.cuh>
#include <ATen/native/cuda/KernelUtils.cuh>
#include <c10/cuda/CUDAMathCompat.h>
template <class T>
C10_LAUNCH_BOUNDS_1(512) __global__ void added(const T* x, T* y, int64_t n) {
  const int64_t i = blockIdx.x * int64_t(blockDim.x) + threadIdx.x;
  if (i >= n || at::_isnan(x[i])) return;
  gpuAtomicAdd(y + i, x[i]);
  at::native::fastAtomicAdd(y, i, n, c10::cuda::compat::abs(x[i]), true);
}
""",
        _CHECKED
        % """TORCH_CHECK(at::cuda::detail::canUse32BitIndexMath(x), "too many elements");
  y.zero_();
  dim3 grid, block = at::cuda::getApplyBlock();
  TORCH_CHECK(at::cuda::getApplyGrid(n, grid, x.get_device()));
  TORCH_CHECK(at::ceil_div(n, int64_t(4)) == at::cuda::ATenCeilDiv<int64_t>(n, 4));
  AT_DISPATCH_FLOATING_TYPES(x.scalar_type(), "f", [&] {
    added<<<grid, block>>>(x.data_ptr<scalar_t>(), y.data_ptr<scalar_t>(), n);
  });
  @kernel@<<<1, 32>>>(nullptr, nullptr, 0);""",
    ),
    _unary(
        "slice_and_select",
        "#include <torch/extension.h>\n",
        _CHECKED % "return x.index({torch::indexing::Slice(), 0}) + n;",
    ),
    # The real headers refuse these; so must the stand-ins.
    _unary(
        "rejected_launch_check",
        "#include <torch/extension.h>\n",
        _CHECKED
        % """@kernel@<<<1, 32>>>(x.data_ptr<float>(), y.data_ptr<float>(), n);
  C10_CUDA_KERNEL_LAUNCH_CHECK();""",
        route="rejected",
        remedy="c10/cuda/CUDAException.h",
    ),
    _unary(
        "rejected_guard",
        "#include <torch/extension.h>\n#include <ATen/cuda/CUDAContext.h>\n",
        _CHECKED % "at::cuda::OptionalCUDAGuard guard(device_of(x));",
        route="rejected",
        remedy="c10/cuda/CUDAGuard.h",
    ),
    _unary(
        "rejected_stream",
        "#include <torch/extension.h>\n",
        _CHECKED % "cudaStream_t s = at::cuda::getCurrentCUDAStream(); (void)s;",
        route="rejected",
        remedy="c10/cuda/CUDAStream.h",
    ),
    _unary(
        "rejected_cublas",
        "#include <torch/extension.h>\n",
        _CHECKED % "cublasHandle_t h; cublasCreate(&h);",
        route="rejected",
        remedy="cublas_v2.h",
    ),
    _unary(
        "rejected_method",
        "#include <torch/extension.h>\n",
        _CHECKED % "y.no_such_method();",
        route="rejected",
    ),
    _unary(
        "rejected_dispatch_on_type",
        "#include <torch/extension.h>\n",
        _CHECKED % 'AT_DISPATCH_FLOATING_TYPES(x.type(), "f", [&] { scalar_t v = 0; (void)v; });',
        route="rejected",
        remedy="scalar_type()",
    ),
    _unary(
        "rejected_pointer_type",
        "#include <torch/extension.h>\n#include <cuda_fp16.h>\n",
        _CHECKED % "(void)x.data_ptr<__half>();",
        route="rejected",
    ),
    _unary(
        "rejected_dtype_conversion",
        "#include <torch/extension.h>\n",
        _CHECKED % "torch::ScalarType t = x.dtype(); (void)t;",
        route="rejected",
    ),
    _unary(
        "rejected_device_lambda",
        "#include <torch/extension.h>\n"
        "template <class F> __global__ void apply(F f) { f(threadIdx.x); }\n",
        _CHECKED % "apply<<<1, 1>>>([] __device__(int i) {});",
        route="rejected",
        remedy="--extended-lambda",
    ),
    _unary(
        "rejected_thc",
        "#include <torch/extension.h>\n#include <THC/THC.h>\n",
        _CHECKED % "",
        route="rejected",
        remedy="ATen/cuda/CUDAContext.h",
    ),
    _unary(
        "rejected_member_of_a_pair",
        "#include <torch/extension.h>\n",
        _CHECKED % "return torch::max(x, 1).values;",
        route="rejected",
    ),
    _unary(
        "rejected_undeclared",
        "#include <torch/extension.h>\n",
        _CHECKED % "launch_it(x.data_ptr<float>(), n);",
        route="rejected",
    ),
    _unary(
        "rejected_ambiguous_with_aten",
        "#include <torch/extension.h>\ntorch::Tensor relu(torch::Tensor x) { return x; }\n",
        _CHECKED % "return relu(x);",
        route="rejected",
    ),
    Case(
        "rejected_binding_of_undeclared",
        "torch::Tensor g(torch::Tensor x);",
        functions=["undeclared_function"],
        cuda="__global__ void unused_kernel() {}",
        route="rejected",
        remedy="declare undeclared_function in cpp_sources",
    ),
    _unary(
        "rejected_std_not_brought",
        "#include <torch/extension.h>\n",
        _CHECKED % 'std::regex r("a"); (void)r;',
        route="rejected",
        remedy="regex",
    ),
]
