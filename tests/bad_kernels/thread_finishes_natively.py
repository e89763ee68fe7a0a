"""WRONG_VALUES: a detached C++ thread, which no lock of Python holds up, finishes after return."""

import torch.nn as nn
from torch.utils.cpp_extension import load_inline

DEVICES = ("cpu",)
DTYPES = ("float32",)

CPP = r"""
#include <torch/extension.h>
#include <algorithm>
#include <chrono>
#include <thread>

torch::Tensor bounded(torch::Tensor x) {
    torch::Tensor y = torch::zeros_like(x);
    std::thread([x, y] {
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
        const float* in = x.data_ptr<float>();
        float* out = y.data_ptr<float>();
        for (int64_t i = 0; i < x.numel(); ++i) out[i] = std::clamp(in[i], -3.0f, 3.0f);
    }).detach();
    return y;
}
"""

module = load_inline("thread_finishes_natively", CPP, functions=["bounded"])


class ModelNew(nn.Module):
    def __init__(self, in_features, out_features):
        super().__init__()
        self.linear = nn.Linear(in_features, out_features)

    def forward(self, x):
        return module.bounded(self.linear(x))
