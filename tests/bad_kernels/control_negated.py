"""PASSED: a control whose output is a view that negates what lies in memory."""

import torch
import torch.nn as nn


class ModelNew(nn.Module):
    def __init__(self, in_features, out_features):
        super().__init__()
        self.linear = nn.Linear(in_features, out_features)

    def forward(self, x):
        y = torch.clamp(self.linear(x), -3, 3)
        return torch.complex(torch.zeros_like(y), -y).conj().imag
