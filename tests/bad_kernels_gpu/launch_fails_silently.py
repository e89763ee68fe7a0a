"""WRONG_VALUES: the grid is too large, so that nothing runs; the error is read and ignored."""

import torch.nn as nn
from torch.utils.cpp_extension import load_inline

DEVICES = ("cuda",)
DTYPES = ("float32",)

CUDA = r"""
#include <torch/extension.h>

__global__ void bound(const float* x, float* y, int64_t size) {
    const int64_t i = blockIdx.y * int64_t(blockDim.x) + threadIdx.x;
    if (i < size) y[i] = fminf(fmaxf(x[i], -3.0f), 3.0f);
}

torch::Tensor bounded(torch::Tensor x) {
    torch::Tensor y = torch::empty_like(x);
    const dim3 grid(1, 1 << 20);  // at most 65535
    bound<<<grid, 256>>>(x.data_ptr<float>(), y.data_ptr<float>(), x.numel());
    cudaGetLastError();
    return y;
}
"""

module = load_inline(
    name="launch_fails_silently",
    cpp_sources="torch::Tensor bounded(torch::Tensor x);",
    cuda_sources=CUDA,
    functions=["bounded"],
)


class ModelNew(nn.Module):
    def __init__(self, in_features, out_features):
        super().__init__()
        self.linear = nn.Linear(in_features, out_features)

    def forward(self, x):
        return module.bounded(self.linear(x))
