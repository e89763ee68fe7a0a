#pragma once
#include <ATen/cuda/CUDAContext.h>
#include <ATen/cuda/Atomic.cuh>
#ifdef LEAN_APPLY
#include <ATen/cuda/ApplyGridUtils.cuh>
#include <ATen/cuda/detail/IndexUtils.cuh>
#include <ATen/ceil_div.h>
#endif
