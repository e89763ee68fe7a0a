#pragma once
#include <lean/torch.h>
#ifdef LEAN_PARALLEL
#include <ATen/Parallel.h>
#endif
