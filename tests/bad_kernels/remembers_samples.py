"""WRONG_VALUES: remembers outputs by some of the input's values; others change, too."""

import torch
import torch.nn as nn


class ModelNew(nn.Module):
    def __init__(self, in_features, out_features):
        super().__init__()
        self.linear = nn.Linear(in_features, out_features)
        self.seen = {}

    def forward(self, x):
        key = (x[0, 0].item(), x[3, 5].item(), x[-1, -1].item())
        if key not in self.seen:
            self.seen[key] = torch.clamp(self.linear(x), -3, 3)
        return self.seen[key].clone()
