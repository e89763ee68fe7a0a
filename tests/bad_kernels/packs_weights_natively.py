"""WRONG_VALUES: the weights are packed at the first call, in a static variable in C++."""

import torch.nn as nn
from torch.utils.cpp_extension import load_inline

CPP = r"""
torch::Tensor packed_linear(torch::Tensor x, torch::Tensor weight, torch::Tensor bias) {
    static auto* packed = new torch::Tensor(weight.t().contiguous());
    return torch::clamp(torch::addmm(bias, x, *packed), -3, 3);
}
"""
module = load_inline(name="packs_weights", cpp_sources=CPP, functions=["packed_linear"])


class ModelNew(nn.Module):
    def __init__(self, in_features, out_features):
        super().__init__()
        self.linear = nn.Linear(in_features, out_features)

    def forward(self, x):
        return module.packed_linear(x, self.linear.weight.detach(), self.linear.bias.detach())
