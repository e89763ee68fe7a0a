"""WRONG_VALUES: one element, in the last row, is off by a thousandth."""

import torch
import torch.nn as nn


class ModelNew(nn.Module):
    def __init__(self, in_features, out_features):
        super().__init__()
        self.linear = nn.Linear(in_features, out_features)

    def forward(self, x):
        y = torch.clamp(self.linear(x), -3, 3)
        y[-1, 3] += 1e-3
        return y
