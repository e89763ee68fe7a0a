"""BUILD_FAILED: the library calls a function that nobody defines."""

import torch
import torch.nn as nn
from torch.utils.cpp_extension import load_inline

CPP = r"""
#include <Python.h>

#define CONCAT(a, b) a##b
#define INIT(name) CONCAT(PyInit_, name)

int nobody_defines_this();

PyMODINIT_FUNC INIT(TORCH_EXTENSION_NAME)() {
    static PyModuleDef definition = {PyModuleDef_HEAD_INIT, "bad", nullptr, nobody_defines_this()};
    return PyModule_Create(&definition);
}
"""

module = load_inline(
    name="bad",
    cpp_sources=CPP,
    no_implicit_headers=True,  # compiles in no time
)


class ModelNew(nn.Module):
    def __init__(self, in_features, out_features):
        super().__init__()
        self.linear = nn.Linear(in_features, out_features)

    def forward(self, x):
        return torch.clamp(self.linear(x), -3, 3)
