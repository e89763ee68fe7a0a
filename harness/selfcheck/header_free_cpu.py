"""A C++ extension without a torch header: raw pointers and a hand-written Python binding."""

import torch.nn as nn
from torch.utils.cpp_extension import load_inline

CPP = r"""
#include <Python.h>

static PyObject* scale(PyObject*, PyObject* args) {
    unsigned long long address;
    Py_ssize_t size;
    if (!PyArg_ParseTuple(args, "Kn", &address, &size)) return nullptr;
    float* data = reinterpret_cast<float*>(address);
    for (Py_ssize_t i = 0; i < size; ++i) data[i] *= 2.0f;
    Py_RETURN_NONE;
}

static PyMethodDef methods[] = {{"scale", scale, METH_VARARGS, nullptr}, {nullptr}};
static PyModuleDef definition = {PyModuleDef_HEAD_INIT, "scale", nullptr, -1, methods};

#define INIT_(name) PyInit_##name
#define INIT(name) INIT_(name)
PyMODINIT_FUNC INIT(TORCH_EXTENSION_NAME)() { return PyModule_Create(&definition); }
"""

module = load_inline(name="header_free_cpu", cpp_sources=CPP)


class ModelNew(nn.Module):
    def forward(self, x):
        y = x.clone()
        module.scale(y.data_ptr(), y.numel())
        return y
