"""WRONG_VALUES: the work is left to the handler of an alarm that goes off after return."""

import signal

import torch
import torch.nn as nn


class ModelNew(nn.Module):
    def __init__(self, in_features, out_features):
        super().__init__()
        self.linear = nn.Linear(in_features, out_features)

    def forward(self, x):
        y = x.new_zeros(len(x), self.linear.out_features)

        @torch.inference_mode()
        def finish(*_):
            y.copy_(torch.clamp(self.linear(x), -3, 3))

        signal.signal(signal.SIGALRM, finish)
        signal.setitimer(signal.ITIMER_REAL, 0.001)
        return y
