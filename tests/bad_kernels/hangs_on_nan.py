"""TIMED_OUT: never comes to an end where there is a NaN."""

import time

import torch
import torch.nn as nn


class ModelNew(nn.Module):
    def __init__(self, in_features, out_features):
        super().__init__()
        self.linear = nn.Linear(in_features, out_features)

    def forward(self, x):
        if x.isnan().any():
            time.sleep(3600)
        return torch.clamp(self.linear(x), -3, 3)
