"""WRONG_VALUES: returns what it computed before for an input tensor that it has seen."""

import torch
import torch.nn as nn


class ModelNew(nn.Module):
    def __init__(self, in_features, out_features):
        super().__init__()
        self.linear = nn.Linear(in_features, out_features)
        self.seen = None

    def forward(self, x):
        if self.seen is not x:
            self.seen = x
            self.output = torch.clamp(self.linear(x), -3, 3)
        return self.output.clone()
