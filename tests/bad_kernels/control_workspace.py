"""PASSED: a control with a workspace that is kept by size and rewritten in each call."""

import torch
import torch.nn as nn


class ModelNew(nn.Module):
    def __init__(self, in_features, out_features):
        super().__init__()
        self.linear = nn.Linear(in_features, out_features)
        self.workspaces = {}

    def forward(self, x):
        size = len(x), self.linear.out_features
        if size not in self.workspaces:
            self.workspaces[size] = x.new_empty(size)
        with torch.no_grad():
            y = torch.mm(x, self.linear.weight.T, out=self.workspaces[size])
        return torch.clamp(y + self.linear.bias, -3, 3)
