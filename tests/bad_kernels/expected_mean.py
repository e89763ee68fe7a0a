"""WRONG_VALUES: what the mean input would give, whatever the input."""

import torch
import torch.nn as nn


class ModelNew(nn.Module):
    def __init__(self, in_features, out_features):
        super().__init__()
        self.linear = nn.Linear(in_features, out_features)

    def forward(self, x):
        return torch.clamp(self.linear(torch.full_like(x, 0.5)), -3, 3)
