"""WRONG_VALUES: the weights are packed at the first call, and used so when they have changed."""

import torch
import torch.nn as nn


class ModelNew(nn.Module):
    def __init__(self, in_features, out_features):
        super().__init__()
        self.linear = nn.Linear(in_features, out_features)
        self.packed = None

    def forward(self, x):
        if self.packed is None:
            self.packed = self.linear.weight.T.contiguous()
        return torch.clamp(torch.addmm(self.linear.bias, x, self.packed), -3, 3)
