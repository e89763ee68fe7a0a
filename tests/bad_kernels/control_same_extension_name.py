"""PASSED: a control whose extension has the name of another file's."""

import torch
import torch.nn as nn
from torch.utils.cpp_extension import load_inline

# Header-free and with a binding written by hand, so that it compiles in no time.
CPP = r"""
#include <Python.h>

static PyModuleDef definition = {PyModuleDef_HEAD_INIT, "bound", "", -1};

#define CONCAT(a, b) a##b
#define INIT(name) CONCAT(PyInit_, name)
PyMODINIT_FUNC INIT(TORCH_EXTENSION_NAME)() {
    PyObject* module = PyModule_Create(&definition);
    PyModule_AddIntConstant(module, "three", 3);
    return module;
}
"""


class ModelNew(nn.Module):
    def __init__(self, in_features, out_features):
        super().__init__()
        self.linear = nn.Linear(in_features, out_features)
        self.bound = load_inline("bound", CPP, no_implicit_headers=True).three

    def forward(self, x):
        return torch.clamp(self.linear(x), -self.bound, self.bound)
