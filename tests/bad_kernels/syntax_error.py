"""BUILD_FAILED: the C++ source misses a semicolon."""

import torch
import torch.nn as nn
from torch.utils.cpp_extension import load_inline

CPP = r"""
int one() { return 1 }
"""

module = load_inline(
    name="bad",
    cpp_sources=CPP,
    no_implicit_headers=True,  # compiles in no time
)


class ModelNew(nn.Module):
    def __init__(self, in_features, out_features):
        super().__init__()
        self.linear = nn.Linear(in_features, out_features)

    def forward(self, x):
        return torch.clamp(self.linear(x), -3, 3)
