"""WRONG_VALUES: the last rows are left to a thread that forward() does not wait for."""

import threading
import time

import torch
import torch.nn as nn


class ModelNew(nn.Module):
    def __init__(self, in_features, out_features):
        super().__init__()
        self.linear = nn.Linear(in_features, out_features)

    def forward(self, x):
        y = torch.clamp(self.linear(x), -3, 3)
        y[5:] = 0

        @torch.inference_mode()
        def finish():
            time.sleep(0.001)
            y[5:] = torch.clamp(self.linear(x[5:]), -3, 3)

        threading.Thread(target=finish).start()
        return y
