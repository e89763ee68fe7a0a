"""PASSED: a control that restates sizes and inputs of its own, which count for nothing."""

import torch
import torch.nn as nn

batch_size = 1
in_features = 2
out_features = 3


def get_inputs():
    return [torch.zeros(batch_size, in_features)]


class ModelNew(nn.Module):
    def __init__(self, in_features, out_features):
        super().__init__()
        self.linear = nn.Linear(in_features, out_features)

    def forward(self, x):
        return torch.clamp(self.linear(x), -3, 3)
