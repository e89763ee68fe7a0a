"""WRONG_VALUES: the factors are cut to TF32's ten bits."""

import torch
import torch.nn as nn

DTYPES = ("float32",)


def cut(x):
    return (x.contiguous().view(torch.int32) & -(1 << 13)).view(torch.float32)


class ModelNew(nn.Module):
    def __init__(self, in_features, out_features):
        super().__init__()
        self.linear = nn.Linear(in_features, out_features)

    def forward(self, x):
        y = nn.functional.linear(cut(x), cut(self.linear.weight), self.linear.bias)
        return torch.clamp(y, -3, 3)
