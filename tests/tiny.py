"""The problem that the tests judge by: a linear layer between two bounds, instantly computed.

Ordinary inputs stay within the bounds, large ones do not; NaN passes through. All families are its
contract; `command_line.public` makes it a problem that states none.
"""

import torch
import torch.nn as nn

batch_size = 7
in_features = 12
out_features = 10

FAMILIES = ("own", "normal", "small", "large", "huge", "non_finite")


class Model(nn.Module):
    def __init__(self, in_features, out_features):
        super().__init__()
        self.linear = nn.Linear(in_features, out_features)

    def forward(self, x):
        """x: (batch_size, in_features). Returns (batch_size, out_features)."""
        return torch.clamp(self.linear(x), -3, 3)


def get_inputs():
    return [torch.rand(batch_size, in_features)]


def get_init_inputs():
    return [in_features, out_features]
