"""BUILD_FAILED: the C++ source includes a header that is nowhere."""

import torch
import torch.nn as nn
from torch.utils.cpp_extension import load_inline

CPP = r"""
#include "no_such_header.h"
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
