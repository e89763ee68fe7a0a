"""RUNTIME_ERROR: refuses what is huge, which NaN and infinity are not taken for."""

import torch
import torch.nn as nn


class ModelNew(nn.Module):
    def __init__(self, in_features, out_features):
        super().__init__()
        self.linear = nn.Linear(in_features, out_features)

    def forward(self, x):
        if x[x.isfinite()].abs().max() > 50:
            raise ValueError("too much")
        return torch.clamp(self.linear(x), -3, 3)
