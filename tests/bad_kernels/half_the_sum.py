"""WRONG_VALUES: the sum over half of the features, doubled."""

import torch
import torch.nn as nn


class ModelNew(nn.Module):
    def __init__(self, in_features, out_features):
        super().__init__()
        self.linear = nn.Linear(in_features, out_features)

    def forward(self, x):
        y = 2 * (x[:, ::2] @ self.linear.weight[:, ::2].T) + self.linear.bias
        return torch.clamp(y, -3, 3)
