"""SKIPPED: the file supports another dtype only."""

import torch
import torch.nn as nn

DTYPES = ("float16",)


class ModelNew(nn.Module):
    def __init__(self, in_features, out_features):
        super().__init__()
        self.linear = nn.Linear(in_features, out_features)

    def forward(self, x):
        return torch.clamp(self.linear(x), -3, 3)
