"""WRONG_VALUES: the work is on a side stream, of torch's pool, that nobody waits for."""

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
        y = x.new_zeros(len(x), self.linear.out_features)
        with torch.cuda.stream(self.stream):
            torch.cuda._sleep(20_000_000)  # some 10 ms
            y.copy_(torch.clamp(self.linear(x), -3, 3))
        return y
