"""A CUDA extension without a torch header: raw pointers and a hand-written Python binding."""

import torch
import torch.nn as nn
from torch.utils.cpp_extension import load_inline

CUDA = r"""
#include <cuda_runtime.h>

__global__ void scale_kernel(float* data, long long size) {
    const long long i = blockIdx.x * (long long)blockDim.x + threadIdx.x;
    if (i < size) data[i] *= 2.0f;
}

extern "C" int launch_scale(unsigned long long address, long long size, unsigned long long stream) {
    const long long blocks = (size + 255) / 256;
    scale_kernel<<<blocks, 256, 0, reinterpret_cast<cudaStream_t>(stream)>>>(
        reinterpret_cast<float*>(address), size);
    return cudaGetLastError();
}
"""

CPP = r"""
#include <Python.h>

extern "C" int launch_scale(unsigned long long address, long long size, unsigned long long stream);

static PyObject* scale(PyObject*, PyObject* args) {
    unsigned long long address, stream;
    long long size;
    if (!PyArg_ParseTuple(args, "KLK", &address, &size, &stream)) return nullptr;
    return PyLong_FromLong(launch_scale(address, size, stream));
}

static PyMethodDef methods[] = {{"scale", scale, METH_VARARGS, nullptr}, {nullptr}};
static PyModuleDef definition = {PyModuleDef_HEAD_INIT, "scale", nullptr, -1, methods};

#define INIT_(name) PyInit_##name
#define INIT(name) INIT_(name)
PyMODINIT_FUNC INIT(TORCH_EXTENSION_NAME)() { return PyModule_Create(&definition); }
"""

module = load_inline(name="header_free_cuda", cpp_sources=CPP, cuda_sources=CUDA)


class ModelNew(nn.Module):
    def forward(self, x):
        y = x.clone()
        error = module.scale(y.data_ptr(), y.numel(), torch.cuda.current_stream().cuda_stream)
        if error:
            raise RuntimeError(f"launch failed with CUDA error {error}")
        return y
