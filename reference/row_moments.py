"""Mean and variance of each row, as layer normalisation needs them.

The data lie around 100, far from zero for their spread, so that the shortcut
mean(x^2) - mean(x)^2 loses most of its digits and shows.
"""

import torch
import torch.nn as nn

batch_size = 4096
features = 4096

FAMILIES = ("own", "normal", "small", "large", "huge", "non_finite")
SWEEP = {
    "cuda": ("batch_size=16,128,1024,8192", "features=1024,4096,16384"),
    "cpu": ("batch_size=8,64,1024", "features=512,2048"),
}


class Model(nn.Module):
    def forward(self, x):
        """x: (batch_size, features). Returns (mean, biased variance), each (batch_size,)."""
        # Not x.var(): it uses Welford's recurrence, whose rounding errors add up. In
        # float64 this is the truth that kernels are judged by, so it has to be good.
        mean = x.mean(dim=1, keepdim=True)
        variance = (x - mean).square().mean(dim=1)
        return mean.squeeze(1), variance


def get_inputs():
    return [torch.randn(batch_size, features) + 100]


def get_init_inputs():
    return []
