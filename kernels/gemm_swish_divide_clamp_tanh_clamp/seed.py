"""Where this project began: one fused elementwise pass after nn.Linear.

Kept exactly as it was written, formula and launch, so that later kernels have
something to be measured against. Right on ordinary inputs; its defects:

* NaN and -inf come out as 0.7616, because fminf(NaN, 1) is 1 and tanh(1) is
  0.7616. Eager returns NaN for both. This is the status the file must get.
* 1 + tanhf(x / 2) cancels for negative x: the relative error passes 1e-4 at
  about x = -8.8 and 10% at -15.8, and below about -18 the result is -0.
  The absolute error stays under 1.4e-7.
* It launches on the default stream of the current device, whatever stream is
  current and wherever the input lives.
* The index is a 32-bit int, so 2^31 elements or more go wrong.
* A failed launch goes unnoticed; so does an empty input, whose launch of zero
  blocks fails.
* float32 only, and contiguous only, without checking either.
"""

import torch.nn as nn
from torch.utils.cpp_extension import load_inline

DEVICES = ("cuda",)
DTYPES = ("float32",)
KNOWN_DEFECT = "NON_FINITE"

# fmt: off
# Define the fused element-wise CUDA kernel
fused_elementwise_source = """
#include <torch/extension.h>
#include <cuda_runtime.h>
#include <math.h>

__global__ void fused_elementwise_kernel(const float* input, float* output, int size) {
    int idx = blockIdx.x * blockDim.x + threadIdx.x;
    if (idx >= size) return;

    float x_val = input[idx];

    // Compute swish and divide by 2 in one step
    float temp = 0.25f * x_val * (1.0f + tanhf(x_val * 0.5f));

    // Clamp between -1 and 1
    temp = fmaxf(-1.0f, fminf(temp, 1.0f));

    // Apply tanh
    output[idx] = tanhf(temp);
}

torch::Tensor fused_elementwise_cuda(torch::Tensor input) {
    auto size = input.numel();
    auto output = torch::empty_like(input);

    const int block_size = 256;
    const int num_blocks = (size + block_size - 1) / block_size;

    fused_elementwise_kernel<<<num_blocks, block_size>>>(input.data_ptr<float>(), output.data_ptr<float>(), size);

    return output;
}
"""

fused_elementwise_cpp_source = (
    "torch::Tensor fused_elementwise_cuda(torch::Tensor input);"
)

# Compile the inline CUDA code
fused_elementwise = load_inline(
    name="fused_elementwise",
    cpp_sources=fused_elementwise_cpp_source,
    cuda_sources=fused_elementwise_source,
    functions=["fused_elementwise_cuda"],
    verbose=True,
    extra_cflags=[""],
    extra_ldflags=[""],
)

class ModelNew(nn.Module):
    def __init__(self, in_features, out_features, bias=True):
        super().__init__()
        self.gemm = nn.Linear(in_features, out_features, bias=bias)
        self.fused_elementwise = fused_elementwise  # The loaded CUDA extension

    def forward(self, x):
        x = self.gemm(x)
        return self.fused_elementwise.fused_elementwise_cuda(x)
