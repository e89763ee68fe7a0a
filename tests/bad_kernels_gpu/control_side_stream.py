"""PASSED: a control on a side stream that waits for the current one, which waits for it."""

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
        current = torch.cuda.current_stream()
        self.stream.wait_stream(current)
        with torch.cuda.stream(self.stream):
            y = torch.clamp(self.linear(x), -3, 3)
        current.wait_stream(self.stream)
        y.record_stream(current)
        return y
