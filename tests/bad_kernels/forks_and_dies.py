"""CRASHED: leaves a child behind that holds on to everything it inherited."""

import os
import time

import torch.nn as nn


class ModelNew(nn.Module):
    def __init__(self, in_features, out_features):
        super().__init__()
        self.linear = nn.Linear(in_features, out_features)

    def forward(self, x):
        if os.fork() == 0:
            time.sleep(300)
        os._exit(3)
