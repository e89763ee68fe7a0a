"""WRONG_VALUES: every value is a hundredth of a percent too large."""

import torch
import torch.nn as nn


class ModelNew(nn.Module):
    def __init__(self, in_features, out_features):
        super().__init__()
        self.linear = nn.Linear(in_features, out_features)

    def forward(self, x):
        return 1.0001 * torch.clamp(self.linear(x), -3, 3)
