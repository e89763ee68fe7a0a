"""PASSED: a control that is more accurate than eager."""

import torch
import torch.nn as nn


class ModelNew(nn.Module):
    def __init__(self, in_features, out_features):
        super().__init__()
        self.linear = nn.Linear(in_features, out_features)

    def forward(self, x):
        y = nn.functional.linear(x.double(), self.linear.weight.double(), self.linear.bias.double())
        return torch.clamp(y, -3, 3).to(x.dtype)
