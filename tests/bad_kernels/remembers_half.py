"""WRONG_VALUES: remembers outputs by the input's shape and every other of its elements."""

import torch
import torch.nn as nn


class ModelNew(nn.Module):
    def __init__(self, in_features, out_features):
        super().__init__()
        self.linear = nn.Linear(in_features, out_features)
        self.seen = {}

    def forward(self, x):
        key = x.shape, x.flatten()[::2].cpu().numpy().tobytes()
        if key not in self.seen:
            self.seen[key] = torch.clamp(self.linear(x), -3, 3)
        return self.seen[key].clone()
