"""One vectorised, multi-threaded C++ pass over nn.Linear's own output.

Improves on cpu_naive.py: exp and tanh are branch-free polynomials, so the
compiler can turn the loop into vector instructions; the result overwrites the
fresh tensor that nn.Linear returned; and a large tensor is shared among the
threads that torch itself uses. NaN and infinity come out as in eager, hence no
-ffast-math. Forward only: autograd does not learn of the overwriting.
"""

import torch.nn as nn
from torch.utils.cpp_extension import load_inline

DEVICES = ("cpu",)
DTYPES = ("float32",)

CPP = r"""
#include <torch/extension.h>
#include <bit>
#include <cstdint>
#include <limits>

// exp(x) to 1 ulp for -87 <= x <= 88; 2^-125.5 below, infinity above, NaN for NaN.
inline float fast_exp(float x) {
    const float z = x < -87.0f ? -87.0f : x;

    // z = n ln 2 + r with |r| <= ln 2 / 2, so exp(z) = 2^n exp(r). Adding 1.5 * 2^23
    // rounds to an integer and leaves it in the low bits of the sum: no conversion
    // to int, which would be undefined for NaN.
    constexpr float rounder = 12582912.0f;
    const float shifted = z * 1.44269504f + rounder;
    const float n = shifted - rounder;
    // ln 2 in two parts, the first short enough for its product with n to be exact.
    const float r = (z - n * 0.693359375f) + n * 2.12194440e-4f;

    float p = 1.3814459e-3f;
    p = p * r + 8.3687808e-3f;
    p = p * r + 4.1668393e-2f;
    p = p * r + 0.16666520f;
    p = p * r + 0.49999994f;
    p = p * (r * r) + r + 1.0f;

    // Shifting leaves n alone in the exponent field; the bias of 127 makes it 2^n.
    const uint32_t exponent = (std::bit_cast<uint32_t>(shifted) << 23) + (127u << 23);
    const float value = p * std::bit_cast<float>(exponent);
    return z > 88.0f ? std::numeric_limits<float>::infinity() : value;
}

// tanh(y) to 2 ulp for |y| <= 1, and NaN for NaN.
inline float bounded_tanh(float y) {
    const float t = y * y;
    float p = -3.5844429e-4f;
    p = p * t + 2.3013374e-3f;
    p = p * t - 7.9460694e-3f;
    p = p * t + 2.1486633e-2f;
    p = p * t - 5.3879794e-2f;
    p = p * t + 0.13332345f;
    p = p * t - 0.33333296f;
    return y * (p * t + 1.0f);
}

// Only the upper bound of the first clamp can bind: swish(x) / 2 is never below
// -0.14, and tanh of what is left is never outside [-0.14, 0.77].
inline float activation(float x) {
    const float sigmoid = 1.0f / (1.0f + fast_exp(-x));
    const float y = 0.5f * (x * sigmoid);
    return bounded_tanh(y > 1.0f ? 1.0f : y);  // a NaN compares false and passes on
}

void fused_activation_(torch::Tensor x) {
    TORCH_CHECK(x.scalar_type() == at::ScalarType::Float && x.is_contiguous(),
                "fused_activation_: the tensor must be contiguous and float32");
    float* data = x.data_ptr<float>();
    const int64_t size = x.numel();
    // Waking the other threads costs as much as some ten thousand elements do. A bare
    // `if (...)` would apply to `simd` as well and leave small tensors unvectorised.
    #pragma omp parallel for simd if (parallel : size >= 32768)
    for (int64_t i = 0; i < size; ++i) data[i] = activation(data[i]);
}
"""

module = load_inline(
    name="fused_activation_cpu_fused",
    cpp_sources=CPP,
    functions=["fused_activation_"],
    extra_cflags=["-O3", "-std=c++20", "-march=native", "-fopenmp"],
    extra_ldflags=["-fopenmp"],
)


class ModelNew(nn.Module):
    def __init__(self, in_features, out_features, bias=True):
        super().__init__()
        self.gemm = nn.Linear(in_features, out_features, bias=bias)

    def forward(self, x):
        y = self.gemm(x)
        module.fused_activation_(y)
        return y
