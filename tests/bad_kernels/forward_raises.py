"""RUNTIME_ERROR: forward() raises, with a message that is awkward in a table."""

import torch.nn as nn


class ModelNew(nn.Module):
    def __init__(self, in_features, out_features):
        super().__init__()
        self.linear = nn.Linear(in_features, out_features)

    def forward(self, x):
        raise ValueError('tile "3", [bold]row[/] 7;\n=not supported')
