"""WRONG_VALUES: one call in ten, at random, returns zeros."""

import random

import torch
import torch.nn as nn


class ModelNew(nn.Module):
    def __init__(self, in_features, out_features):
        super().__init__()
        self.linear = nn.Linear(in_features, out_features)
        self.random = random.SystemRandom()

    def forward(self, x):
        y = torch.clamp(self.linear(x), -3, 3)
        return torch.zeros_like(y) if self.random.random() < 1 / 10 else y
