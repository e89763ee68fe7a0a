"""PASSED: a control that makes a thread pool at the first call, and waits for it at each."""

from concurrent.futures import ThreadPoolExecutor

import torch
import torch.nn as nn


class ModelNew(nn.Module):
    def __init__(self, in_features, out_features):
        super().__init__()
        self.linear = nn.Linear(in_features, out_features)
        self.pool = None

    @torch.inference_mode()
    def rows(self, x):
        return torch.clamp(self.linear(x), -3, 3)

    def forward(self, x):
        if self.pool is None:
            self.pool = ThreadPoolExecutor(2)
        with torch.no_grad():
            parts = self.pool.map(self.rows, x.chunk(2))
            return torch.cat(list(parts))
