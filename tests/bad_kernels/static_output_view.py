"""ALIASED: every output is a new view of the middle of one buffer."""

import torch
import torch.nn as nn


class ModelNew(nn.Module):
    def __init__(self, in_features, out_features):
        super().__init__()
        self.linear = nn.Linear(in_features, out_features)
        self.buffer = None

    def forward(self, x):
        if self.buffer is None:
            self.buffer = x.new_empty(3 * len(x), self.linear.out_features)
        y = self.buffer[len(x) : 2 * len(x)]
        with torch.no_grad():
            y.copy_(torch.clamp(self.linear(x), -3, 3))
        return y
