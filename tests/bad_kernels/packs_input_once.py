"""WRONG_VALUES: the input is packed at the first call, and that copy is used ever after."""

import torch
import torch.nn as nn


class ModelNew(nn.Module):
    def __init__(self, in_features, out_features):
        super().__init__()
        self.linear = nn.Linear(in_features, out_features)
        self.packed = None

    def forward(self, x):
        if self.packed is None:
            self.packed = x.T.contiguous()
        return torch.clamp(self.linear(self.packed.T), -3, 3)
