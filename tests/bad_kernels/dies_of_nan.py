"""CRASHED: the process does not survive a NaN."""

import os

import torch
import torch.nn as nn


class ModelNew(nn.Module):
    def __init__(self, in_features, out_features):
        super().__init__()
        self.linear = nn.Linear(in_features, out_features)

    def forward(self, x):
        if x.isnan().any():
            os.abort()
        return torch.clamp(self.linear(x), -3, 3)
