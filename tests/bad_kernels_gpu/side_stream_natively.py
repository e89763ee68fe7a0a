"""WRONG_VALUES: the work is on a non-blocking stream of its own that nobody waits for."""

import torch.nn as nn
from torch.utils.cpp_extension import load_inline

DEVICES = ("cuda",)
DTYPES = ("float32",)

CUDA = r"""
#include <torch/extension.h>

__global__ void bound(const float* x, float* y, int64_t size) {
    const long long start = clock64();
    while (clock64() - start < 20000000) {
    }
    for (int64_t i = threadIdx.x; i < size; i += blockDim.x) y[i] = fminf(fmaxf(x[i], -3.0f), 3.0f);
}

torch::Tensor bounded(torch::Tensor x) {
    static cudaStream_t stream = nullptr;
    if (!stream) cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking);
    torch::Tensor y = torch::zeros_like(x);
    bound<<<1, 256, 0, stream>>>(x.data_ptr<float>(), y.data_ptr<float>(), x.numel());
    return y;
}
"""

module = load_inline(
    name="side_stream_natively",
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
