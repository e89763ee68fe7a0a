"""One elementwise CUDA pass after nn.Linear, as fast as a copy.

Reads the linear layer's output once and writes the result once, 16 bytes to an
access. Eager makes six passes over the same data.

Takes any floating dtype, size and alignment, and treats NaN and infinity as
eager does. fp16 and bf16 are computed in fp32 and rounded once, at the end,
where eager rounds after each of its steps. Improves on seed.py.
"""

import torch.nn as nn
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
__device__ __forceinline__ scalar_t apply(scalar_t x) {
    using compute_t = std::conditional_t<std::is_same_v<scalar_t, double>, double, float>;
    return static_cast<scalar_t>(activation(static_cast<compute_t>(x)));
}

template <typename scalar_t, int width>
struct alignas(sizeof(scalar_t) * width) Pack {
    scalar_t lane[width];
};

// Thread i takes the i-th pack, and the i-th of the fewer than `width` elements
// left over after the last whole one.
template <typename scalar_t, int width>
__global__ void __launch_bounds__(block_size)
fused_kernel(const scalar_t* __restrict__ input, scalar_t* __restrict__ output, int64_t size) {
    using Vector = Pack<scalar_t, width>;
    const int64_t i = int64_t(blockIdx.x) * block_size + threadIdx.x;
    const int64_t packs = size / width;

    if (i < packs) {
        Vector v = reinterpret_cast<const Vector*>(input)[i];
        #pragma unroll
        for (int k = 0; k < width; ++k) v.lane[k] = apply(v.lane[k]);
        reinterpret_cast<Vector*>(output)[i] = v;
    }
    if (i < size - packs * width) {
        output[packs * width + i] = apply(input[packs * width + i]);
    }
}

template <typename scalar_t, int width>
void launch(const scalar_t* input, scalar_t* output, int64_t size) {
    // At least `width` threads, for the leftovers; one block is more than that.
    const int64_t blocks = std::max<int64_t>(1, (size / width + block_size - 1) / block_size);
    TORCH_CHECK(blocks <= INT32_MAX, "fused_activation: too many elements for one launch: ", size);
    fused_kernel<scalar_t, width>
        <<<static_cast<unsigned>(blocks), block_size, 0, at::cuda::getCurrentCUDAStream()>>>(
            input, output, size);
    C10_CUDA_KERNEL_LAUNCH_CHECK();
}

bool is_aligned(const void* pointer) {
    return reinterpret_cast<uintptr_t>(pointer) % 16 == 0;
}

torch::Tensor fused_activation(torch::Tensor input) {
    TORCH_CHECK(input.is_cuda(), "fused_activation: the input must be a CUDA tensor");
    const c10::cuda::CUDAGuard guard(input.device());
    input = input.contiguous();
    torch::Tensor output = torch::empty_like(input);
    const int64_t size = input.numel();
    if (size == 0) return output;

    AT_DISPATCH_FLOATING_TYPES_AND2(
        at::ScalarType::Half, at::ScalarType::BFloat16, input.scalar_type(), "fused_activation", [&] {
            const scalar_t* in = input.data_ptr<scalar_t>();
            scalar_t* out = output.data_ptr<scalar_t>();
            if (is_aligned(in) && is_aligned(out)) {
                launch<scalar_t, 16 / sizeof(scalar_t)>(in, out, size);
            } else {
                launch<scalar_t, 1>(in, out, size);
            }
        });
    return output;
}
"""

module = load_inline(
    name="fused_activation",
    cpp_sources="torch::Tensor fused_activation(torch::Tensor input);",
    cuda_sources=CUDA,
    functions=["fused_activation"],
)


class ModelNew(nn.Module):
    def __init__(self, in_features, out_features, bias=True):
        super().__init__()
        self.gemm = nn.Linear(in_features, out_features, bias=bias)

    def forward(self, x):
        return module.fused_activation(self.gemm(x))
