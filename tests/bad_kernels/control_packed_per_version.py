"""PASSED: a control whose weights are packed anew whenever they have changed."""

import torch
import torch.nn as nn


class ModelNew(nn.Module):
    def __init__(self, in_features, out_features):
        super().__init__()
        self.linear = nn.Linear(in_features, out_features)
        self.key = None

    def forward(self, x):
        weight = self.linear.weight
        key = weight.data_ptr(), weight._version
        if key != self.key:
            self.key, self.packed = key, weight.T.contiguous()
        return torch.clamp(torch.addmm(self.linear.bias, x, self.packed), -3, 3)
