"""Two vectorised loops per row, the rows shared among torch's threads.

The second loop finds its row in cache, so memory is read once and written once.
"""

import torch
import torch.nn as nn
from torch.utils.cpp_extension import load_inline

DEVICES = ("cpu",)
DTYPES = ("float32", "float64")

CPP = r"""
#include <torch/extension.h>
#include <cmath>
#include <cstdint>

template <typename T>
void rms_norm_rows(const T* input, const T* weight, T* output, int64_t rows, int64_t features,
                   T eps) {
    // Fewer elements than this are done before the other threads have woken.
    #pragma omp parallel for if (rows * features >= 65536)
    for (int64_t row = 0; row < rows; ++row) {
        const T* x = input + row * features;
        T* y = output + row * features;

        T sum = 0;
        #pragma omp simd reduction(+ : sum)
        for (int64_t i = 0; i < features; ++i) sum += x[i] * x[i];

        const T scale = T(1) / std::sqrt(sum / T(features) + eps);
        #pragma omp simd
        for (int64_t i = 0; i < features; ++i) y[i] = x[i] * scale * weight[i];
    }
}

torch::Tensor rms_norm(torch::Tensor input, torch::Tensor weight, double eps) {
    TORCH_CHECK(input.dim() == 2 && weight.dim() == 1 && weight.size(0) == input.size(1) &&
                    weight.scalar_type() == input.scalar_type(),
                "rms_norm: the weight must match the input's dtype and columns");
    input = input.contiguous();
    weight = weight.contiguous();
    torch::Tensor output = torch::empty_like(input);
    AT_DISPATCH_FLOATING_TYPES(input.scalar_type(), "rms_norm", [&] {
        rms_norm_rows<scalar_t>(input.data_ptr<scalar_t>(), weight.data_ptr<scalar_t>(),
                                output.data_ptr<scalar_t>(), input.size(0), input.size(1), eps);
    });
    return output;
}
"""

module = load_inline(
    name="rms_norm_cpu_fused",
    cpp_sources=CPP,
    functions=["rms_norm"],
    extra_cflags=["-O3", "-march=native", "-fopenmp"],
    extra_ldflags=["-fopenmp"],
)


class ModelNew(nn.Module):
    def __init__(self, features, eps=1e-6):
        super().__init__()
        self.weight = nn.Parameter(torch.rand(features) + 0.5)
        self.eps = eps

    def forward(self, x):
        return module.rms_norm(x, self.weight, self.eps)
