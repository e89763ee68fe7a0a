"""PASSED: a control that sums in another order, in three pieces from the back."""

import torch
import torch.nn as nn


class ModelNew(nn.Module):
    def __init__(self, in_features, out_features):
        super().__init__()
        self.linear = nn.Linear(in_features, out_features)

    def forward(self, x):
        weight = self.linear.weight
        y = x.new_zeros(len(x), len(weight))
        for part in torch.arange(x.shape[1]).flip(0).chunk(3):
            y += x[:, part] @ weight[:, part].T
        return torch.clamp(y + self.linear.bias, -3, 3)
