"""INPUT_MUTATED: the right output, after doubling the input in place."""

import torch
import torch.nn as nn


class ModelNew(nn.Module):
    def __init__(self, in_features, out_features):
        super().__init__()
        self.linear = nn.Linear(in_features, out_features)

    def forward(self, x):
        y = torch.clamp(self.linear(x), -3, 3)
        x.mul_(2)
        return y
