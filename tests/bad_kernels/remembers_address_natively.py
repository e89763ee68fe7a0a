"""WRONG_VALUES: a static pointer in C++ remembers the last input, a static tensor its output."""

import torch.nn as nn
from torch.utils.cpp_extension import load_inline

CPP = r"""
#include <torch/extension.h>

torch::Tensor bounded_linear(torch::Tensor x, torch::Tensor weight, torch::Tensor bias) {
    static const void* last = nullptr;
    static torch::Tensor y;
    if (last != x.data_ptr()) {
        last = x.data_ptr();
        y = at::clamp(at::linear(x, weight, bias), -3, 3);
    }
    return y.clone();
}
"""

module = load_inline("remembers_address_natively", CPP, functions=["bounded_linear"])


class ModelNew(nn.Module):
    def __init__(self, in_features, out_features):
        super().__init__()
        self.linear = nn.Linear(in_features, out_features)

    def forward(self, x):
        return module.bounded_linear(x, self.linear.weight, self.linear.bias)
