"""PASSED: a control whose weights are packed in the constructor."""

import torch
import torch.nn as nn


class ModelNew(nn.Module):
    def __init__(self, in_features, out_features):
        super().__init__()
        self.linear = nn.Linear(in_features, out_features)
        self.register_buffer("packed", self.linear.weight.detach().T.contiguous())

    def forward(self, x):
        return torch.clamp(torch.addmm(self.linear.bias, x, self.packed), -3, 3)
