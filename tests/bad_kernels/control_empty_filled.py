"""PASSED: a control that fills, row by row, an output allocated without contents."""

import torch
import torch.nn as nn


class ModelNew(nn.Module):
    def __init__(self, in_features, out_features):
        super().__init__()
        self.linear = nn.Linear(in_features, out_features)

    def forward(self, x):
        y = x.new_empty(len(x), self.linear.out_features)
        for row, out in zip(x, y, strict=True):
            out.copy_(torch.clamp(self.linear(row), -3, 3))
        return y
