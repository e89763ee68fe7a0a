"""WRONG_VALUES: a host thread launches the work after forward() has returned."""

import threading
import time

import torch
import torch.nn as nn

DEVICES = ("cuda",)


class ModelNew(nn.Module):
    def __init__(self, in_features, out_features):
        super().__init__()
        self.linear = nn.Linear(in_features, out_features)

    def forward(self, x):
        y = x.new_zeros(len(x), self.linear.out_features)

        @torch.inference_mode()
        def finish():
            time.sleep(0.001)
            y.copy_(torch.clamp(self.linear(x), -3, 3))

        threading.Thread(target=finish).start()
        return y
