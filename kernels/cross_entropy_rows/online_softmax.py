"""One CUDA block per row; maximum and sum of exponentials in a single reading.

Each thread keeps a running maximum m and the sum of exp(x - m) over the logits
it has seen, rescaling the sum whenever m grows; the pairs are then merged over
the block. The technique is "Online normalizer calculation for softmax"
(Milakov and Gimelshein, arXiv 1805.02867). 16-byte reads where the row length
and the pointer allow. Every floating dtype; sums in fp32, fp64 for fp64.
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
#include <limits>
#include <type_traits>

constexpr int warp_size = 32;
constexpr int max_threads = 1024;

template <typename scalar_t>
using compute_t = std::conditional_t<std::is_same_v<scalar_t, double>, double, float>;

// Passed by value: through a reference, the compiler loads the lanes one by one.
template <typename scalar_t, int width>
struct alignas(sizeof(scalar_t) * width) Pack {
    scalar_t lane[width];
};

// log sum exp of what was seen so far is max + log(sum).
//
// The maximum starts at the lowest finite number, not at -inf, where -inf - -inf
// would be NaN. Comparisons drop NaN, but exp(NaN - max) carries it into the sum,
// and so does inf - inf for a logit of +inf: both make the row's loss NaN, as in
// eager. A row of nothing but -inf leaves the sum 0 and yields inf + log 0 = NaN.
template <typename T>
struct LogSumExp {
    T max = std::numeric_limits<T>::lowest();
    T sum = 0;

    __device__ void merge(T other_max, T other_sum) {
        const T new_max = other_max > max ? other_max : max;
        sum = sum * exp(max - new_max) + other_sum * exp(other_max - new_max);
        max = new_max;
    }

    template <typename scalar_t, int width>
    __device__ void add(Pack<scalar_t, width> logits) {
        T x[width];
        T new_max = max;
        #pragma unroll
        for (int k = 0; k < width; ++k) {
            x[k] = static_cast<T>(logits.lane[k]);
            new_max = x[k] > new_max ? x[k] : new_max;
        }
        sum *= exp(max - new_max);
        #pragma unroll
        for (int k = 0; k < width; ++k) sum += exp(x[k] - new_max);
        max = new_max;
    }
};

template <typename scalar_t, int width>
__global__ void __launch_bounds__(max_threads)
cross_entropy_kernel(const scalar_t* __restrict__ logits, const int64_t* __restrict__ labels,
                     scalar_t* __restrict__ losses, int64_t classes) {
    using T = compute_t<scalar_t>;
    using Vector = Pack<scalar_t, width>;
    __shared__ T warp_max[max_threads / warp_size];
    __shared__ T warp_sum[max_threads / warp_size];
    const scalar_t* row = logits + blockIdx.x * classes;

    LogSumExp<T> lse;
    for (int64_t i = threadIdx.x; i < classes / width; i += blockDim.x) {
        lse.add(reinterpret_cast<const Vector*>(row)[i]);
    }

    for (int offset = warp_size / 2; offset > 0; offset /= 2) {
        const T other_max = __shfl_xor_sync(0xffffffffu, lse.max, offset);
        const T other_sum = __shfl_xor_sync(0xffffffffu, lse.sum, offset);
        lse.merge(other_max, other_sum);
    }
    if (threadIdx.x % warp_size == 0) {
        warp_max[threadIdx.x / warp_size] = lse.max;
        warp_sum[threadIdx.x / warp_size] = lse.sum;
    }
    __syncthreads();
    if (threadIdx.x == 0) {
        for (int warp = 1; warp < blockDim.x / warp_size; ++warp) {
            lse.merge(warp_max[warp], warp_sum[warp]);
        }
        // The difference first: it is exact where the label's logit is the largest.
        const T label_logit = static_cast<T>(row[labels[blockIdx.x]]);
        losses[blockIdx.x] = static_cast<scalar_t>((lse.max - label_logit) + log(lse.sum));
    }
}

template <typename scalar_t, int width>
void launch(const scalar_t* logits, const int64_t* labels, scalar_t* losses, int64_t rows,
            int64_t classes) {
    // One pack to a thread in short rows; in long ones, as many threads as there can be.
    const int64_t warps = (classes / width + warp_size - 1) / warp_size;
    const int64_t threads = std::min<int64_t>(warps * warp_size, max_threads);
    TORCH_CHECK(rows <= INT32_MAX, "cross_entropy: too many rows for one launch: ", rows);
    cross_entropy_kernel<scalar_t, width>
        <<<static_cast<unsigned>(rows), static_cast<unsigned>(threads), 0,
           at::cuda::getCurrentCUDAStream()>>>(logits, labels, losses, classes);
    C10_CUDA_KERNEL_LAUNCH_CHECK();
}

torch::Tensor cross_entropy(torch::Tensor logits, torch::Tensor labels) {
    TORCH_CHECK(logits.is_cuda() && logits.dim() == 2 && logits.size(1) > 0,
                "cross_entropy: the logits must be a CUDA matrix with at least one column");
    TORCH_CHECK(labels.device() == logits.device() &&
                    labels.scalar_type() == at::ScalarType::Long && labels.dim() == 1 &&
                    labels.size(0) == logits.size(0),
                "cross_entropy: one int64 label per row, on the device of the logits");
    const c10::cuda::CUDAGuard guard(logits.device());
    logits = logits.contiguous();
    labels = labels.contiguous();
    const int64_t rows = logits.size(0);
    const int64_t classes = logits.size(1);
    torch::Tensor losses = torch::empty({rows}, logits.options());
    if (rows == 0) return losses;

    AT_DISPATCH_FLOATING_TYPES_AND2(
        at::ScalarType::Half, at::ScalarType::BFloat16, logits.scalar_type(), "cross_entropy", [&] {
            constexpr int width = 16 / sizeof(scalar_t);
            const scalar_t* in = logits.data_ptr<scalar_t>();
            const int64_t* label = labels.data_ptr<int64_t>();
            scalar_t* out = losses.data_ptr<scalar_t>();
            // A row of whole packs keeps every later row as aligned as the first.
            if (classes % width == 0 && reinterpret_cast<uintptr_t>(in) % 16 == 0) {
                launch<scalar_t, width>(in, label, out, rows, classes);
            } else {
                launch<scalar_t, 1>(in, label, out, rows, classes);
            }
        });
    return losses;
}
"""

module = load_inline(
    name="cross_entropy_online_softmax",
    cpp_sources="torch::Tensor cross_entropy(torch::Tensor logits, torch::Tensor labels);",
    cuda_sources=CUDA,
    functions=["cross_entropy"],
)


class ModelNew(nn.Module):
    def forward(self, logits, labels):
        return module.cross_entropy(logits, labels)
