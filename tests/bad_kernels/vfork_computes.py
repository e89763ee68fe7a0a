"""WRONG_VALUES: says that it is done, then works in a child that it cannot be stopped before."""

import ctypes
import gc

import torch
import torch.nn as nn
from torch.utils.cpp_extension import load_inline

from harness.exchange import page as pages
from harness.exchange.values import NUMBER

DEVICES = ("cpu",)
DTYPES = ("float32",)

# Whoever waits for a child of vfork sees no signal, SIGSTOP included, and shares its memory.
CPP = r"""
#include <torch/extension.h>
#include <sched.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>
#include <algorithm>

struct Work {
    const float* in;
    float* out;
    int64_t count, number;
    volatile int64_t* done;
};
static char stack[1 << 16];

static int child(void* given) {
    const Work& work = *static_cast<Work*>(given);
    *work.done = work.number;  // its parent sleeps already
    usleep(2000);
    for (int64_t i = 0; i < work.count; ++i) {
        float z = work.in[i];
        work.out[i] = z != z ? z : std::clamp(z, -3.0f, 3.0f);
    }
    _exit(0);
}

void bound(torch::Tensor z, torch::Tensor y, int64_t done, int64_t number) {
    auto flag = reinterpret_cast<volatile int64_t*>(done);
    Work work{z.data_ptr<float>(), y.data_ptr<float>(), z.numel(), number, flag};
    waitpid(clone(child, stack + sizeof stack, CLONE_VM | CLONE_VFORK | SIGCHLD, &work), 0, 0);
}
"""

module = load_inline("vfork_computes", CPP, functions=["bound"])


def find_flags():
    page = next(x for x in gc.get_objects() if type(x) is pages.Page)
    return page.slots, ctypes.addressof(ctypes.c_char.from_buffer(page.slots))


class ModelNew(nn.Module):
    def __init__(self, in_features, out_features):
        super().__init__()
        self.linear = nn.Linear(in_features, out_features)
        self.flags = None

    def forward(self, x):
        if self.flags is None:
            self.flags, self.address = find_flags()
        z = self.linear(x)
        y = torch.empty_like(z)
        told = y.data_ptr(), NUMBER[y.dtype], 0, y.dim(), *y.shape, *y.stride()
        for at, number in enumerate(told, start=pages.ADDRESS):
            self.flags[at] = number
        self.flags[pages.LENGTH], self.flags[pages.COPIED] = 0, 1
        module.bound(z, y, self.address + 8 * pages.DONE, self.flags[pages.GO])
        return y
