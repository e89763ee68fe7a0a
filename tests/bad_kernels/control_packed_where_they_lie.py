"""PASSED: a control that packs at the first call, keeps it by address, and looks at the version."""

import torch
import torch.nn as nn

PACKED = {}


class ModelNew(nn.Module):
    def __init__(self, in_features, out_features):
        super().__init__()
        self.linear = nn.Linear(in_features, out_features)

    def forward(self, x):
        weight = self.linear.weight
        version, packed = PACKED.get(weight.data_ptr(), (None, None))
        if version != weight._version:
            packed = weight.T.contiguous()
            PACKED[weight.data_ptr()] = weight._version, packed
        return torch.clamp(torch.addmm(self.linear.bias, x, packed), -3, 3)
