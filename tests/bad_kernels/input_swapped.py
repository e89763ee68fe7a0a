"""INPUT_MUTATED: the right output, after giving the input other memory: its own stays as it was."""

import torch
import torch.nn as nn


class ModelNew(nn.Module):
    def __init__(self, in_features, out_features):
        super().__init__()
        self.linear = nn.Linear(in_features, out_features)

    def forward(self, x):
        y = torch.clamp(self.linear(x), -3, 3)
        x.data = torch.zeros_like(x)
        return y
