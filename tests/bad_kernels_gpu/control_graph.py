"""PASSED: a control that replays a CUDA graph of its own, after copying the input into it."""

import torch
import torch.nn as nn

DEVICES = ("cuda",)


class ModelNew(nn.Module):
    def __init__(self, in_features, out_features):
        super().__init__()
        self.linear = nn.Linear(in_features, out_features)
        self.graph = None

    def compute(self):
        return torch.clamp(self.linear(self.input), -3, 3)

    def forward(self, x):
        if self.graph is None:
            self.input = x.clone()
            self.compute()  # cuBLAS is set up before the capture
            self.graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(self.graph):
                self.output = self.compute()
        self.input.copy_(x)
        self.graph.replay()
        return self.output.clone()
