"""WRONG_VALUES: the work is left to a forked process, which nobody stops, in memory it shares.

On a GPU WRONG_STRUCTURE: memory that processes share is the host's.
"""

import mmap
import os
import time

import torch
import torch.nn as nn


class ModelNew(nn.Module):
    def __init__(self, in_features, out_features):
        super().__init__()
        self.linear = nn.Linear(in_features, out_features)

    def forward(self, x):
        shape = len(x), self.linear.out_features
        shared = mmap.mmap(-1, 4 * shape[0] * shape[1])
        y = torch.frombuffer(shared, dtype=torch.float32).view(shape)
        if os.fork() == 0:
            time.sleep(0.01)
            torch.set_num_threads(1)  # the others were not forked
            y.copy_(torch.clamp(self.linear(x), -3, 3))
            os._exit(0)
        return y
