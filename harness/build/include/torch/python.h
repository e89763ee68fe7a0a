#pragma once
#ifdef LEAN_PYTHON
#include <lean/pybind.h>
namespace py = pybind11;
namespace torch {
template <class F>
lean::py::TorchFunction<F> wrap_pybind_function(F f) {
  return {f};
}
}  // namespace torch
#else
#include <lean/torch.h>
#endif
