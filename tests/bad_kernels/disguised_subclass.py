"""WRONG_STRUCTURE: a subclass of Tensor that says it is Tensor."""

import torch
import torch.nn as nn


class Disguised(torch.Tensor):
    @property
    def __class__(self):
        return torch.Tensor


class ModelNew(nn.Module):
    def __init__(self, in_features, out_features):
        super().__init__()
        self.linear = nn.Linear(in_features, out_features)

    def forward(self, x):
        return torch.clamp(self.linear(x), -3, 3).as_subclass(Disguised)
