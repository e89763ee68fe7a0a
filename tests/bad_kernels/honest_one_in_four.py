"""WRONG_VALUES: one call in four computes, the next three return its output."""

import torch
import torch.nn as nn


class ModelNew(nn.Module):
    def __init__(self, in_features, out_features):
        super().__init__()
        self.linear = nn.Linear(in_features, out_features)
        self.calls = 0

    def forward(self, x):
        if self.calls % 4 == 0:
            self.last = torch.clamp(self.linear(x), -3, 3)
        self.calls += 1
        return self.last.clone()
