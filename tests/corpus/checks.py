"""C++ sources in the manner of older extensions: checks of arguments, types, gradients."""

from __future__ import annotations

import torch

from corpus.case import Case, floats

F64, I64 = torch.float64, torch.int64


def _with_grad(*shape: int) -> torch.Tensor:
    return torch.ones(*shape, requires_grad=True)


CASES = [
    Case(
        "argument_checks",
        r"""
#include <torch/extension.h>
#include <ATen/TensorUtils.h>
void all(torch::Tensor a, torch::Tensor b, int64_t which) {
  at::TensorArg a_t{a, "a", 1}, b_t{b, "b", 2};
  at::CheckedFrom c = "all";
  const at::ScalarType types[] = {at::kFloat, at::kDouble};
  switch (which) {
    case 0: return at::checkAllSameGPU(c, {a_t, b_t});
    case 1: return at::checkAllSameType(c, {a_t, b_t});
    case 2: return at::checkAllSameSize(c, {a_t, b_t});
    case 3: return at::checkAllSameNumel(c, {a_t, b_t});
    case 4: return at::checkAllDefined(c, {a_t, b_t});
    case 5: return at::checkAllContiguous(c, {a_t, b_t});
    case 6: return checkSameGPU(c, a_t, b_t);
    case 7: return checkSameType(c, a_t, b_t);
    case 8: return checkSameSize(c, a_t, b_t);
    case 9: return checkSameNumel(c, a_t, b_t);
    case 10: return checkSameDim(c, a_t, b_t);
    case 11: return at::checkDim(c, b_t, 2);
    case 12: return at::checkDim(c, b, "other", 7, 2);
    case 13: return at::checkDimRange(c, b_t, 2, 4);
    case 14: return at::checkSize(c, b_t, {2, 3});
    case 15: return at::checkSize(c, b_t, 1, 3);
    case 16: return at::checkNumel(c, b_t, 6);
    case 17: return at::checkContiguous(c, b_t);
    case 18: return at::checkDefined(c, b_t);
    case 19: return at::checkScalarType(c, b_t, at::kFloat);
    case 20: return at::checkScalarTypes(c, b_t, types);
    case 21: return at::checkDeviceType(c, {a, b}, at::kCPU);
    case 22: return at::checkDeviceType(c, {a, b}, at::kCUDA);
    case 23: return at::checkLayout(c, b, at::kSparse);
    case 24: return at::checkLayout(c, {a, b}, at::kStrided);
    case 25: return at::check_dim_size(b, 2, 1, 3);
  }
  TORCH_CHECK(at::maybe_data_ptr(b_t) == at::maybe_data_ptr(*b_t) && b_t->dim() == b.dim());
}
void undefined(int64_t which) {
  torch::Tensor none;
  at::TensorArg arg{none, "none", 3};
  if (which == 0) at::checkDefined("undefined", arg);
  if (which == 1) at::checkAllDefined("undefined", {arg});
  if (which == 2) at::checkAllSameType("undefined", {arg, arg});
  if (which == 3) at::checkContiguous("undefined", arg);
  TORCH_CHECK(at::maybe_data_ptr(arg) == nullptr);
}
""",
        lambda m, d: [
            *[
                lambda b=b, n=n: m.all(floats(2, 3), b, n)
                for n in range(27)
                for b in (floats(2, 3), floats(3, 2, dtype=F64).t(), torch.ones(4, 1, 1, dtype=I64))
            ],
            *[lambda n=n: m.undefined(n) for n in range(5)],
        ],
        ["all", "undefined"],
    ),
    Case(
        "types_as_options",
        r"""
#include <torch/extension.h>
#include <ATen/native/Math.h>
#include <sstream>
torch::Tensor like(torch::Tensor x) { return at::empty(x.sizes(), x.type()).zero_(); }
torch::Tensor cast(torch::Tensor x, torch::Tensor y) { return x.to(y.type()); }
torch::Tensor wide(torch::Tensor x) {
  auto type = x.dtype();
  if (type == at::kHalf) type = at::kFloat;
  return at::zeros_like(x, type);
}
torch::Tensor doubled(torch::Tensor x) {
  return torch::ones({2}, x.type().toScalarType(at::kDouble).options());
}
std::string named(torch::Tensor x) {
  std::ostringstream s;
  s << x.type() << ' ' << x.type().toString() << ' ' << x.type().typeMeta();
  return s.str();
}
void fail(torch::Tensor x) { TORCH_CHECK(false, "of type ", x.type()); }
bool on_cpu(torch::Tensor x) {
  return x.device().type() == torch::Device::Type::CPU && !x.type().is_cuda() &&
         x.type().device_type() == at::Device::Type::CPU && x.dtype().isScalarType(at::kFloat) &&
         x.type().layout() == at::kStrided && !x.type().is_sparse();
}
""",
        lambda m, d: [
            lambda: m.like(floats(2, 3)),
            lambda: m.like(torch.ones(2, dtype=I64)),
            lambda: m.like(torch.eye(2).to_sparse()).layout,
            lambda: m.like(torch.eye(2).to_sparse_csr()),
            lambda: m.like(torch.empty(2, device="meta")).device,
            lambda: m.cast(floats(3), torch.ones(1, dtype=F64)),
            lambda: m.cast(floats(3), torch.ones(1, dtype=torch.bool)),
            lambda: m.wide(torch.ones(3, dtype=torch.float16)),
            lambda: m.wide(torch.ones(3, dtype=I64)),
            lambda: m.doubled(floats(3)),
            *[
                lambda x=x, f=f: getattr(m, f)(x)
                for f in ("named", "fail", "on_cpu")
                for x in (
                    floats(2),
                    torch.ones(2, dtype=F64),
                    torch.ones(2, dtype=torch.bfloat16),
                    torch.empty(2, device="meta"),
                    torch.eye(2).to_sparse(),
                    torch.eye(2).to_sparse_csr(),
                    torch.ones(2, dtype=torch.uint16),
                    torch.quantize_per_tensor(torch.ones(2), 0.1, 0, torch.qint8),
                )
            ],
        ],
        ["like", "cast", "wide", "doubled", "named", "fail", "on_cpu"],
    ),
    Case(
        "gradients",
        r"""
#include <torch/extension.h>
std::tuple<bool, bool, bool, bool> flags(torch::Tensor x) {
  return {x.requires_grad(), x.is_leaf(), x.retains_grad(), torch::Tensor().requires_grad()};
}
torch::Tensor set(torch::Tensor x, bool on) { return x.set_requires_grad(on); }
torch::Tensor set_in_place(torch::Tensor x, bool on) { return x.requires_grad_(on); }
bool made(torch::Tensor x) { return x.requires_grad_().requires_grad(); }
bool retained(torch::Tensor x) {
  auto y = x * 2;
  y.retain_grad();
  return y.retains_grad() && !y.is_leaf();
}
""",
        lambda m, d: [
            lambda: m.flags(floats(2)),
            lambda: m.flags(_with_grad(2)),
            lambda: m.flags(_with_grad(2) * 2),
            lambda: m.set(floats(2), True),
            lambda: m.set(_with_grad(2), False),
            lambda: m.set(torch.ones(2, dtype=I64), True),
            lambda: m.set_in_place(floats(2), True),
            lambda: m.set_in_place(torch.ones(2, dtype=I64), True),
            lambda: m.set_in_place(_with_grad(2) * 2, False),
            lambda: m.made(floats(2)),
            lambda: m.retained(_with_grad(2)),
            lambda: m.retained(floats(2)),
        ],
        ["flags", "set", "set_in_place", "made", "retained"],
    ),
    Case(
        "attributes_of_a_module",
        r"""
#include <torch/extension.h>
int64_t one() { return 1; }
PYBIND11_MODULE(TORCH_EXTENSION_NAME, m) {
  m.def("one", &one);
  py::object version = py::cast(std::string("1.5"));
  m.attr("version") = version;
  m.attr("text") = "text";
  m.attr("whole") = 7;
  m.attr("same") = m.attr("one");
  m.attr("options") = py::dict();
}
""",
        lambda m, d: [
            lambda: (m.one(), m.same(), m.version, m.text, m.whole, m.options),
        ],
    ),
    Case(
        "rejected_check_of_a_temporary",
        r"""
#include <torch/extension.h>
void check(torch::Tensor x) {
  at::TensorArg arg{x.contiguous(), "x", 1};
  at::checkDim("check", arg, 2);
}
""",
        functions=["check"],
        route="rejected",
    ),
    Case(
        "rejected_type_as_scalar_type",
        r"""
#include <torch/extension.h>
torch::Tensor cast(torch::Tensor x) { return x.toType(x.type()); }
""",
        functions=["cast"],
        route="rejected",
    ),
]
