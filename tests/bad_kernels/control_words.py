"""PASSED: a control whose comments and operators a text scan could take for a cheat."""

import torch
import torch.nn as nn


class ModelNew(nn.Module):
    def __init__(self, in_features, out_features):
        super().__init__()
        self.linear = nn.Linear(in_features, out_features)

    def forward(self, x):
        # No stream, no cudaStreamCreate, no torch.cuda.synchronize(); nothing to pass.
        half = x.shape[1] // 2  # not C++, though // begins a comment there
        y = nn.functional.linear(x[:, :half], self.linear.weight[:, :half], self.linear.bias)
        y = y + x[:, half:] @ self.linear.weight[:, half:].T
        return torch.clamp(y, -3, 3)  # time.perf_counter, data_ptr, lru_cache, sys.modules
