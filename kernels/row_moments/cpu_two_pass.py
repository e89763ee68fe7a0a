"""Per row: the mean, then the squared deviations while the row is in cache.

Both loops are vectorised and the rows are shared among torch's threads.
Subtracting the mean before squaring keeps the variance right for data far from
zero, without the division per element of Welford's recurrence.
"""

import torch.nn as nn
from torch.utils.cpp_extension import load_inline

DEVICES = ("cpu",)
DTYPES = ("float32", "float64")

CPP = r"""
#include <torch/extension.h>
#include <cstdint>
#include <vector>

template <typename T>
void moments_of_rows(const T* input, T* means, T* variances, int64_t rows, int64_t features) {
    // Fewer elements than this are done before the other threads have woken.
    #pragma omp parallel for if (rows * features >= 65536)
    for (int64_t row = 0; row < rows; ++row) {
        const T* x = input + row * features;

        T sum = 0;
        #pragma omp simd reduction(+ : sum)
        for (int64_t i = 0; i < features; ++i) sum += x[i];
        const T mean = sum / T(features);

        T squares = 0;
        #pragma omp simd reduction(+ : squares)
        for (int64_t i = 0; i < features; ++i) squares += (x[i] - mean) * (x[i] - mean);

        means[row] = mean;
        variances[row] = squares / T(features);
    }
}

std::vector<torch::Tensor> row_moments(torch::Tensor input) {
    TORCH_CHECK(input.dim() == 2, "row_moments: the input must be a matrix");
    input = input.contiguous();
    const int64_t rows = input.size(0);
    torch::Tensor means = torch::empty({rows}, input.options());
    torch::Tensor variances = torch::empty({rows}, input.options());
    AT_DISPATCH_FLOATING_TYPES(input.scalar_type(), "row_moments", [&] {
        moments_of_rows<scalar_t>(input.data_ptr<scalar_t>(), means.data_ptr<scalar_t>(),
                                  variances.data_ptr<scalar_t>(), rows, input.size(1));
    });
    return {means, variances};
}
"""

module = load_inline(
    name="row_moments_cpu_two_pass",
    cpp_sources=CPP,
    functions=["row_moments"],
    extra_cflags=["-O3", "-march=native", "-fopenmp"],
    extra_ldflags=["-fopenmp"],
)


class ModelNew(nn.Module):
    def forward(self, x):
        return tuple(module.row_moments(x))
