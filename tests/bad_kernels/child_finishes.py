"""WRONG_VALUES: a forked child computes the output, in memory that it shares, after the return."""

import mmap
import os
import time

import torch
import torch.nn as nn

DEVICES = ("cpu",)


class ModelNew(nn.Module):
    def __init__(self, in_features, out_features):
        super().__init__()
        self.linear = nn.Linear(in_features, out_features)
        self.child = 0

    def forward(self, x):
        if self.child:
            os.waitpid(self.child, 0)
        memory = mmap.mmap(-1, len(x) * self.linear.out_features * x.itemsize)
        y = torch.frombuffer(memory, dtype=x.dtype).view(len(x), -1)
        self.child = os.fork()
        if self.child == 0:
            time.sleep(0.001)
            y.copy_(torch.clamp(self.linear(x), -3, 3))
            os._exit(0)
        return y
