"""WRONG_VALUES: a generator computes twenty outputs and repeats the last."""

import torch
import torch.nn as nn


class ModelNew(nn.Module):
    def __init__(self, in_features, out_features):
        super().__init__()
        self.linear = nn.Linear(in_features, out_features)
        self.outputs = self.compute()

    def compute(self):
        for _ in range(20):
            y = torch.clamp(self.linear(self.input), -3, 3)
            yield y
        while True:
            yield y

    def forward(self, x):
        self.input = x
        return next(self.outputs).clone()
