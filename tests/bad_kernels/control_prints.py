"""PASSED: a control that floods its output."""

import os

import torch
import torch.nn as nn


class ModelNew(nn.Module):
    def __init__(self, in_features, out_features):
        super().__init__()
        self.linear = nn.Linear(in_features, out_features)

    def forward(self, x):
        print("busy " * 20_000)
        os.write(2, b"busy" * 20_000)
        return torch.clamp(self.linear(x), -3, 3)
