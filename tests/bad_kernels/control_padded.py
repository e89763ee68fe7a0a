"""PASSED: a control whose output is a view of a wider buffer."""

import torch
import torch.nn as nn


class ModelNew(nn.Module):
    def __init__(self, in_features, out_features):
        super().__init__()
        self.linear = nn.Linear(in_features, out_features)

    def forward(self, x):
        padded = x.new_full((len(x), 64), float("nan"))
        padded[:, :10] = torch.clamp(self.linear(x), -3, 3)
        return padded[:, :10]
