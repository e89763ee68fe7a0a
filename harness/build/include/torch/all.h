#pragma once
#include <lean/torch.h>
#ifdef LEAN_VERSION
#include <torch/version.h>
#endif
#ifdef LEAN_PARALLEL
#include <ATen/Parallel.h>
#endif
