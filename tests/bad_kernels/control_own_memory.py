"""PASSED: a control in C++ whose threads fill memory of its own, and are waited for."""

import torch.nn as nn
from torch.utils.cpp_extension import load_inline

DEVICES = ("cpu",)
DTYPES = ("float32",)

CPP = r"""
#include <torch/extension.h>
#include <algorithm>
#include <thread>
#include <vector>

torch::Tensor bounded(torch::Tensor z) {
    const float* in = z.data_ptr<float>();
    float* out = new float[z.numel()];
    std::vector<std::thread> threads;
    for (int64_t row = 0; row < z.size(0); ++row)
        threads.emplace_back([=, columns = z.size(1)] {
            for (int64_t i = row * columns; i < (row + 1) * columns; ++i)
                out[i] = in[i] != in[i] ? in[i] : std::clamp(in[i], -3.0f, 3.0f);
        });
    for (std::thread& thread : threads) thread.join();
    auto free = [](void* memory) { delete[] static_cast<float*>(memory); };
    return torch::from_blob(out, z.sizes(), free, torch::kFloat32);
}
"""

module = load_inline("control_own_memory", CPP, functions=["bounded"])


class ModelNew(nn.Module):
    def __init__(self, in_features, out_features):
        super().__init__()
        self.linear = nn.Linear(in_features, out_features)

    def forward(self, x):
        return module.bounded(self.linear(x))
