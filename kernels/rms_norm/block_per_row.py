"""One CUDA block per row; the row is read once and waits in registers.

16-byte accesses where the row length and the pointers allow, single elements
otherwise. Takes every floating dtype and any shape; sums in fp32, fp64 for
fp64. A single long row keeps one multiprocessor busy and leaves the rest idle.
"""

import torch
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

constexpr int warp_size = 32;
constexpr int max_threads = 1024;
constexpr int kept_packs = 4;  // per thread, in registers between the two passes

template <typename scalar_t>
using compute_t = std::conditional_t<std::is_same_v<scalar_t, double>, double, float>;

// Passed by value: through a reference, the compiler loads the lanes one by one.
template <typename scalar_t, int width>
struct alignas(sizeof(scalar_t) * width) Pack {
    scalar_t lane[width];
};

// The sum over the block, in every thread. The block is a whole number of warps.
template <typename T>
__device__ T block_sum(T value) {
    __shared__ T warp_sums[max_threads / warp_size];
    for (int offset = warp_size / 2; offset > 0; offset /= 2) {
        value += __shfl_xor_sync(0xffffffffu, value, offset);
    }
    if (threadIdx.x % warp_size == 0) warp_sums[threadIdx.x / warp_size] = value;
    __syncthreads();
    T total = 0;
    for (int warp = 0; warp < blockDim.x / warp_size; ++warp) total += warp_sums[warp];
    return total;
}

template <typename scalar_t, int width>
__device__ compute_t<scalar_t> sum_of_squares(Pack<scalar_t, width> v) {
    compute_t<scalar_t> sum = 0;
    #pragma unroll
    for (int k = 0; k < width; ++k) {
        const auto x = static_cast<compute_t<scalar_t>>(v.lane[k]);
        sum += x * x;
    }
    return sum;
}

template <typename scalar_t, int width>
__device__ Pack<scalar_t, width> normalized(Pack<scalar_t, width> v,
                                            Pack<scalar_t, width> weight,
                                            compute_t<scalar_t> scale) {
    using T = compute_t<scalar_t>;
    #pragma unroll
    for (int k = 0; k < width; ++k) {
        // This order, so that an infinite x gives inf * 0 = NaN, as in eager.
        v.lane[k] = static_cast<scalar_t>(static_cast<T>(v.lane[k]) * scale *
                                          static_cast<T>(weight.lane[k]));
    }
    return v;
}

template <typename scalar_t, int width>
__global__ void __launch_bounds__(max_threads)
rms_norm_kernel(const scalar_t* __restrict__ input, const scalar_t* __restrict__ weight,
                scalar_t* __restrict__ output, int64_t features, double eps) {
    using T = compute_t<scalar_t>;
    using Vector = Pack<scalar_t, width>;
    const int64_t packs = features / width;
    const Vector* in = reinterpret_cast<const Vector*>(input + blockIdx.x * features);
    const Vector* w = reinterpret_cast<const Vector*>(weight);
    Vector* out = reinterpret_cast<Vector*>(output + blockIdx.x * features);
    const int64_t first_unkept = int64_t(kept_packs) * blockDim.x + threadIdx.x;

    Vector kept[kept_packs];
    T sum = 0;
    #pragma unroll
    for (int k = 0; k < kept_packs; ++k) {
        const int64_t i = int64_t(k) * blockDim.x + threadIdx.x;
        if (i < packs) {
            kept[k] = in[i];
            sum += sum_of_squares(kept[k]);
        }
    }
    // Only rows too long to be kept come here; unrolled, this would cost all rows registers.
    #pragma unroll 1
    for (int64_t i = first_unkept; i < packs; i += blockDim.x) sum += sum_of_squares(in[i]);

    const T scale = rsqrt(block_sum(sum) / static_cast<T>(features) + static_cast<T>(eps));

    #pragma unroll
    for (int k = 0; k < kept_packs; ++k) {
        const int64_t i = int64_t(k) * blockDim.x + threadIdx.x;
        if (i < packs) out[i] = normalized(kept[k], w[i], scale);
    }
    #pragma unroll 1
    for (int64_t i = first_unkept; i < packs; i += blockDim.x) {
        out[i] = normalized(in[i], w[i], scale);
    }
}

template <typename scalar_t, int width>
void launch(const scalar_t* input, const scalar_t* weight, scalar_t* output, int64_t rows,
            int64_t features, double eps) {
    // Just enough warps for every thread to keep its share of the row.
    constexpr int64_t packs_per_warp = kept_packs * warp_size;
    const int64_t warps = (features / width + packs_per_warp - 1) / packs_per_warp;
    const int64_t threads = std::min<int64_t>(warps * warp_size, max_threads);
    TORCH_CHECK(rows <= INT32_MAX, "rms_norm: too many rows for one launch: ", rows);
    rms_norm_kernel<scalar_t, width>
        <<<static_cast<unsigned>(rows), static_cast<unsigned>(threads), 0,
           at::cuda::getCurrentCUDAStream()>>>(input, weight, output, features, eps);
    C10_CUDA_KERNEL_LAUNCH_CHECK();
}

bool is_aligned(const void* pointer) {
    return reinterpret_cast<uintptr_t>(pointer) % 16 == 0;
}

torch::Tensor rms_norm(torch::Tensor input, torch::Tensor weight, double eps) {
    TORCH_CHECK(input.is_cuda() && input.dim() == 2, "rms_norm: the input must be a CUDA matrix");
    TORCH_CHECK(weight.device() == input.device() && weight.scalar_type() == input.scalar_type() &&
                    weight.dim() == 1 && weight.size(0) == input.size(1),
                "rms_norm: the weight must match the input's device, dtype and columns");
    const c10::cuda::CUDAGuard guard(input.device());
    input = input.contiguous();
    weight = weight.contiguous();
    torch::Tensor output = torch::empty_like(input);
    const int64_t rows = input.size(0);
    const int64_t features = input.size(1);
    if (input.numel() == 0) return output;

    AT_DISPATCH_FLOATING_TYPES_AND2(
        at::ScalarType::Half, at::ScalarType::BFloat16, input.scalar_type(), "rms_norm", [&] {
            constexpr int width = 16 / sizeof(scalar_t);
            const scalar_t* in = input.data_ptr<scalar_t>();
            const scalar_t* w = weight.data_ptr<scalar_t>();
            scalar_t* out = output.data_ptr<scalar_t>();
            // A row of whole packs keeps every later row as aligned as the first.
            if (features % width == 0 && is_aligned(in) && is_aligned(w) && is_aligned(out)) {
                launch<scalar_t, width>(in, w, out, rows, features, eps);
            } else {
                launch<scalar_t, 1>(in, w, out, rows, features, eps);
            }
        });
    return output;
}
"""

module = load_inline(
    name="rms_norm_block_per_row",
    cpp_sources="torch::Tensor rms_norm(torch::Tensor input, torch::Tensor weight, double eps);",
    cuda_sources=CUDA,
    functions=["rms_norm"],
)


class ModelNew(nn.Module):
    def __init__(self, features, eps=1e-6):
        super().__init__()
        self.weight = nn.Parameter(torch.rand(features) + 0.5)
        self.eps = eps

    def forward(self, x):
        return module.rms_norm(x, self.weight, self.eps)
