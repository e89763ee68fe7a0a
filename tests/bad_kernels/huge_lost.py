"""WRONG_VALUES: what is huge becomes zero; ordinary inputs, NaN and infinity are right."""

import torch
import torch.nn as nn


class ModelNew(nn.Module):
    def __init__(self, in_features, out_features):
        super().__init__()
        self.linear = nn.Linear(in_features, out_features)

    def forward(self, x):
        y = self.linear(x)
        return torch.clamp(torch.where(y.isfinite() & (y.abs() > 50), 0, y), -3, 3)
