"""WRONG_VALUES: fifty honest calls, then the last one's output for ever."""

import torch
import torch.nn as nn


class ModelNew(nn.Module):
    def __init__(self, in_features, out_features):
        super().__init__()
        self.linear = nn.Linear(in_features, out_features)
        self.calls = 0

    def forward(self, x):
        self.calls += 1
        if self.calls <= 50:
            self.last = torch.clamp(self.linear(x), -3, 3)
        return self.last.clone()
