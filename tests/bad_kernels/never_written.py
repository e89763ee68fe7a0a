"""WRONG_VALUES: an output that is allocated and never written."""

import torch.nn as nn


class ModelNew(nn.Module):
    def __init__(self, in_features, out_features):
        super().__init__()
        self.linear = nn.Linear(in_features, out_features)

    def forward(self, x):
        return x.new_empty(len(x), self.linear.out_features)
