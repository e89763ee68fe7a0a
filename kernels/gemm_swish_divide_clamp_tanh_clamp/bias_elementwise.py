"""elementwise_inplace.py, with the bias taken out of the GEMM and into the pass.

Adding the bias here costs nothing, since the pass is bound by memory and a row of bias stays in
cache. What it buys is another GEMM: a linear layer with bias asks cuBLAS for bias and product in
one call, and for float32 batches of 16 to 128 the plain product is up to twice as fast on an
H100 (torch.compile finds the same). Each block works on one row, so a thread knows its column
without a division per element. Forward only, as elementwise_inplace.py.
"""

import torch.nn as nn
import torch.nn.functional as F
from torch.utils.cpp_extension import load_inline

DEVICES = ("cuda",)

CUDA = r"""
#include <torch/extension.h>
#include <ATen/cuda/CUDAContext.h>
#include <c10/cuda/CUDAException.h>
#include <c10/cuda/CUDAGuard.h>
#include <algorithm>
#include <cstdint>
#include <type_traits>

constexpr int block_size = 256;

// tanh for the arguments that activation() leaves: [-0.14, 1] and NaN.
// On so short a range y * (1 + y^2 P(y^2)) is within 1.3 ulp of the truth. Unlike
// tanhf it has no branch and no exponential, which counts for 16-bit dtypes: there
// memory traffic leaves only half as long for each element.
__device__ __forceinline__ float bounded_tanh(float y) {
    const float t = y * y;
    float p = -3.5844429e-4f;
    p = fmaf(p, t, 2.3013374e-3f);
    p = fmaf(p, t, -7.9460694e-3f);
    p = fmaf(p, t, 2.1486633e-2f);
    p = fmaf(p, t, -5.3879794e-2f);
    p = fmaf(p, t, 0.13332345f);
    p = fmaf(p, t, -0.33333296f);
    return y * fmaf(p, t, 1.0f);  // this order keeps the sign of -0
}

__device__ __forceinline__ double bounded_tanh(double y) {
    return tanh(y);
}

// Eager clamps to [-1, 1] before and after tanh. Of the four bounds one is live:
//   * swish(x) / 2 has its minimum, -0.1392, at x = -1.278, so nothing reaches -1
//     (-inf gives -inf * 0 = NaN, which a clamp passes on);
//   * it exceeds 1 from x = 2.2177 on, so the upper bound stays;
//   * tanh of what is left lies in [-0.1384, 0.7616], far inside the second clamp.
template <typename T>
__device__ __forceinline__ T activation(T x) {
    const T sigmoid = T(1) / (T(1) + exp(-x));
    const T y = T(0.5) * (x * sigmoid);
    return bounded_tanh(y > T(1) ? T(1) : y);  // false for NaN, which passes on; fmin drops it
}

// Every dtype but fp64 is computed in fp32.
template <typename scalar_t>
__device__ __forceinline__ scalar_t apply(scalar_t x, scalar_t bias) {
    using compute_t = std::conditional_t<std::is_same_v<scalar_t, double>, double, float>;
    return static_cast<scalar_t>(
        activation(static_cast<compute_t>(x) + static_cast<compute_t>(bias)));
}

template <typename scalar_t, int width>
struct alignas(sizeof(scalar_t) * width) Pack {
    scalar_t lane[width];
};

// A row is shared by `blocks_per_row` blocks; thread i of them takes the row's i-th pack, and the
// i-th of the fewer than `width` elements left over after the last whole one.
template <typename scalar_t, int width>
__global__ void __launch_bounds__(block_size)
bias_kernel(scalar_t* __restrict__ data, const scalar_t* __restrict__ bias, int64_t columns,
            unsigned blocks_per_row) {
    using Vector = Pack<scalar_t, width>;
    const unsigned row = blockIdx.x / blocks_per_row;
    const int64_t i = int64_t(blockIdx.x % blocks_per_row) * block_size + threadIdx.x;
    const int64_t packs = columns / width;
    data += row * columns;

    if (i < packs) {
        Vector v = reinterpret_cast<Vector*>(data)[i];
        const Vector b = reinterpret_cast<const Vector*>(bias)[i];
        #pragma unroll
        for (int k = 0; k < width; ++k) v.lane[k] = apply(v.lane[k], b.lane[k]);
        reinterpret_cast<Vector*>(data)[i] = v;
    }
    if (i < columns - packs * width) {
        const int64_t j = packs * width + i;
        data[j] = apply(data[j], bias[j]);
    }
}

template <typename scalar_t, int width>
void launch(scalar_t* data, const scalar_t* bias, int64_t rows, int64_t columns) {
    // At least `width` threads, for the leftovers; one block is more than that.
    const int64_t per_row = std::max<int64_t>(1, (columns / width + block_size - 1) / block_size);
    TORCH_CHECK(rows * per_row <= INT32_MAX, "bias_activation_: too many blocks for one launch");
    bias_kernel<scalar_t, width>
        <<<static_cast<unsigned>(rows * per_row), block_size, 0, at::cuda::getCurrentCUDAStream()>>>(
            data, bias, columns, static_cast<unsigned>(per_row));
    C10_CUDA_KERNEL_LAUNCH_CHECK();
}

void bias_activation_(torch::Tensor x, torch::Tensor bias) {
    TORCH_CHECK(x.is_cuda() && bias.is_cuda(), "bias_activation_: tensors must be on a CUDA device");
    TORCH_CHECK(x.dim() >= 1 && x.is_contiguous() && bias.is_contiguous(),
                "bias_activation_: tensors must be contiguous");
    TORCH_CHECK(x.scalar_type() == bias.scalar_type() && x.size(-1) == bias.numel(),
                "bias_activation_: bias must be one row of x");
    const c10::cuda::CUDAGuard guard(x.device());
    if (x.numel() == 0) return;
    const int64_t columns = x.size(-1);
    const int64_t rows = x.numel() / columns;

    AT_DISPATCH_FLOATING_TYPES_AND2(
        at::ScalarType::Half, at::ScalarType::BFloat16, x.scalar_type(), "bias_activation_", [&] {
            constexpr int width = 16 / sizeof(scalar_t);
            scalar_t* data = x.data_ptr<scalar_t>();
            const scalar_t* row = bias.data_ptr<scalar_t>();
            // Every row starts on a 16-byte boundary if the first does and rows are whole packs.
            const bool aligned = reinterpret_cast<uintptr_t>(data) % 16 == 0 &&
                                 reinterpret_cast<uintptr_t>(row) % 16 == 0;
            if (aligned && (columns % width == 0 || rows == 1)) {
                launch<scalar_t, width>(data, row, rows, columns);
            } else {
                launch<scalar_t, 1>(data, row, rows, columns);
            }
        });
}
"""

module = load_inline(
    name="bias_activation_inplace",
    cpp_sources="void bias_activation_(torch::Tensor x, torch::Tensor bias);",
    cuda_sources=CUDA,
    functions=["bias_activation_"],
)


class ModelNew(nn.Module):
    def __init__(self, in_features, out_features):
        super().__init__()
        self.gemm = nn.Linear(in_features, out_features)

    def forward(self, x):
        y = F.linear(x, self.gemm.weight)
        module.bias_activation_(y, self.gemm.bias)
        return y
