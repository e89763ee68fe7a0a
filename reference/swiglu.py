"""silu(gate) * up, the gated activation of many transformer feed-forward layers.

Two inputs, one output, elementwise: limited by memory traffic.
"""

import torch
import torch.nn as nn
import torch.nn.functional as F

batch_size = 4096
features = 8192

FAMILIES = ("own", "normal", "small", "large", "huge", "non_finite")
SWEEP = {
    "cuda": ("batch_size=1,128,1024,8192", "features=1024,4096,14336"),
    "cpu": ("batch_size=1,64,512", "features=512,2048"),
}


class Model(nn.Module):
    def forward(self, gate, up):
        """gate, up: (batch_size, features). Returns the same shape."""
        return F.silu(gate) * up


def get_inputs():
    return [torch.randn(batch_size, features), torch.randn(batch_size, features)]


def get_init_inputs():
    return []
