"""PASSED: a control with other parameter names, drawn in the reference's order."""

import torch
import torch.nn as nn


class ModelNew(nn.Module):
    def __init__(self, in_features, out_features):
        super().__init__()
        self.dense = nn.Linear(in_features, out_features)

    def forward(self, x):
        return torch.clamp(self.dense(x), -3, 3)
