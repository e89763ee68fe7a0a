"""WRONG_VALUES: the last quarter of the rows is on a side stream that nobody waits for."""

import torch
import torch.nn as nn

DEVICES = ("cuda",)


class ModelNew(nn.Module):
    def __init__(self, in_features, out_features):
        super().__init__()
        self.linear = nn.Linear(in_features, out_features)
        self.stream = None

    def forward(self, x):
        self.stream = self.stream or torch.cuda.Stream()
        first = len(x) - len(x) // 4
        y = torch.clamp(self.linear(x), -3, 3)
        y[first:] = 0
        with torch.cuda.stream(self.stream):
            torch.cuda._sleep(20_000_000)  # some 10 ms
            y[first:] = torch.clamp(self.linear(x[first:]), -3, 3)
        return y
