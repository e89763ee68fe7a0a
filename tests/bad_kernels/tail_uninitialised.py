"""WRONG_VALUES: whole tiles of four rows only; the rows left over are never written."""

import torch
import torch.nn as nn


class ModelNew(nn.Module):
    def __init__(self, in_features, out_features):
        super().__init__()
        self.linear = nn.Linear(in_features, out_features)

    def forward(self, x):
        y = x.new_empty(len(x), self.linear.out_features)
        whole = len(x) // 4 * 4
        y[:whole] = torch.clamp(self.linear(x[:whole]), -3, 3)
        return y
