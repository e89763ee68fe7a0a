"""OUT_OF_MEMORY: the kernel asks for a petabyte of workspace."""

import torch
import torch.nn as nn


class ModelNew(nn.Module):
    def __init__(self, in_features, out_features):
        super().__init__()
        self.linear = nn.Linear(in_features, out_features)

    def forward(self, x):
        workspace = x.new_empty(1 << 48)
        return torch.clamp(self.linear(x), -3, 3) + workspace[0]
