"""C++ sources that use torch's other parts: options, accessors, guards, libraries, bindings."""

from __future__ import annotations

import warnings
from typing import Any

import torch

from corpus.case import Case, floats


def _warned(call: Any) -> list[object]:
    """What a call returns, and the warnings that it gave."""
    with warnings.catch_warnings(record=True) as given:
        warnings.simplefilter("always")
        result = call()
    return [result, *(f"{w.category.__name__}: {str(w.message).partition(' (')[0]}" for w in given)]


def _refused(call: Any) -> str:
    """A warning that is made an error."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            return str(call())
        except UserWarning as warning:
            return str(warning).partition(" (")[0]


def ops(module: Any) -> Any:
    """A library that has its extension's name, which differs with the headers."""
    return getattr(torch.ops, module.__name__.partition(".")[0])


def _schema(op: Any) -> str:
    return str(op.default._schema).partition("::")[2]


def _message(call: Any) -> str:
    try:
        return str(call())
    except RuntimeError as error:
        return str(error).splitlines()[0].partition("::")[2]


CASES = [
    Case(
        "options_read_and_printed",
        r"""
#include <torch/extension.h>
#include <sstream>
std::string printed(torch::Tensor x) {
  std::ostringstream s;
  s << x.options() << ' ' << torch::TensorOptions() << ' ' << x.dtype() << ' ' << x.scalar_type()
    << ' ' << x.device() << ' ' << x.sizes() << x.strides() << ' ' << x.layout() << ' '
    << torch::dtype(x.dtype()).requires_grad(true).memory_format(at::MemoryFormat::ChannelsLast)
    << ' ' << at::Scalar(2.5) << at::Scalar(3) << at::Scalar(true) << torch::kCPU << '\n' << x;
  return s.str();
}
void fail(torch::Tensor x) {
  TORCH_CHECK(x.numel() > 9, x, x.options(), at::Scalar(1.5), x.layout(), " in ", x.options());
}
bool agrees(torch::Tensor x) {
  auto o = x.options();
  return o.dtype() == x.dtype() && o.dtype() == torch::kFloat32 && o.device() == x.device() &&
         o.layout() == torch::kStrided && !o.requires_grad() && !o.pinned_memory() &&
         torch::TensorOptions().dtype() == torch::kFloat && o.has_dtype() &&
         !torch::device(torch::kCPU).has_dtype();
}
""",
        lambda m, d: [
            lambda: m.printed(torch.arange(6.0).view(2, 3)),
            lambda: m.printed(torch.ones(2, dtype=torch.float16)),
            lambda: m.printed(torch.ones(2, 2, dtype=torch.int64).t()),
            lambda: m.fail(torch.ones(2)),
            lambda: m.agrees(torch.ones(2)),
            lambda: m.agrees(torch.ones(2, dtype=torch.float64)),
        ],
        ["printed", "fail", "agrees"],
    ),
    Case(
        "accessors",
        r"""
#include <torch/extension.h>
torch::Tensor diagonal(torch::Tensor x) {
  auto a = x.accessor<float, 2>();
  auto y = torch::empty({a.size(0)});
  auto b = y.accessor<float, 1>();
  const auto row = a[1];
  for (int64_t i = 0; i < a.size(0); i++) b[i] = a[i][i] + row.data()[0] * a.stride(1);
  TORCH_CHECK(a.sizes() == x.sizes() && b.strides() == y.strides());
  return y;
}
template <typename T>
T first(at::TensorAccessor<T, 3> a) { return a[0][0][0]; }
double packed(torch::Tensor x) {
  auto a = x.packed_accessor64<double, 3>();
  auto b = x.packed_accessor32<double, 3>();
  at::PackedTensorAccessor32<double, 3> c = b;
  return first(x.accessor<double, 3>()) + a.size(1) * 10 + c.stride(0) + (a.data() == b.data());
}
""",
        lambda m, d: [
            lambda: m.diagonal(torch.arange(9.0).view(3, 3)),
            lambda: m.diagonal(torch.arange(9.0).view(3, 3).t()),
            lambda: m.diagonal(torch.arange(9.0)),
            lambda: m.diagonal(torch.arange(9).view(3, 3)),
            lambda: m.packed(torch.arange(24.0, dtype=torch.float64).view(2, 3, 4)),
            lambda: m.packed(torch.ones(2, 3)),
        ],
        ["diagonal", "packed"],
    ),
    Case(
        "scopes_and_warnings",
        r"""
#include <torch/extension.h>
#include <climits>
torch::Tensor detached(torch::Tensor w, bool on) {
  const at::DeviceGuard guard(w.device());
  torch::DeviceGuard same(w.device());
  c10::OptionalDeviceGuard optional(device_of(w));
  if (!on) return w * 2;
  torch::NoGradGuard no_grad;
  return w * 2;
}
int64_t warn(int64_t n) {
  TORCH_WARN("n is ", n);
  TORCH_WARN_ONCE("once");
  TORCH_CHECK(n != 3, "three");
  return n + INT_MAX;
}
""",
        lambda m, d: [
            lambda: m.detached(torch.ones(2, requires_grad=True), False).requires_grad,
            lambda: m.detached(torch.ones(2, requires_grad=True), True).requires_grad,
            lambda: _warned(lambda: m.warn(2)),
            lambda: _refused(lambda: m.warn(2)),
            lambda: m.warn(3),
        ],
        ["detached", "warn"],
    ),
    Case(
        "torchs_own_arguments",
        r"""
#include <torch/extension.h>
torch::Tensor make(at::IntArrayRef shape, double value, torch::ScalarType type,
                   c10::optional<torch::Device> device) {
  return torch::full(shape, value, torch::dtype(type).device(device.value_or(torch::kCPU)));
}
torch::Tensor times(torch::Tensor x, const at::Scalar& by) { return x * by; }
at::IntArrayRef shape(const torch::Tensor& x) { return x.sizes(); }
at::ScalarType type(torch::Tensor x) { return x.scalar_type(); }
torch::Device device(torch::Tensor x) { return x.device(); }
at::Scalar value(torch::Tensor x) { return x.item(); }
int64_t released(torch::Tensor x) {
  py::gil_scoped_release release;
  int64_t n = x.sum().item<int64_t>();
  py::gil_scoped_acquire acquire;
  return n + x.nbytes();
}
""",
        lambda m, d: [
            lambda: m.make([2, 3], 1.5, torch.float64, None),
            lambda: m.make((2,), 3, torch.int32, torch.device("cpu")),
            lambda: m.make(torch.Size([1]), True, torch.bool, None),
            lambda: m.make([2], 1.5, torch.float64, "cpu"),
            lambda: m.make([2], "x", torch.float64, None),
            lambda: m.make(2, 1.5, torch.float64, None),
            lambda: m.make([2.5], 1.5, torch.float64, None),
            lambda: m.make([2], 1.5, None, None),
            lambda: m.times(floats(2), 2.0),  # which torch itself has not got round to
            lambda: m.shape(floats(2, 5)),
            lambda: m.type(torch.ones(1, dtype=torch.bfloat16)),
            lambda: m.device(floats(2)),
            lambda: m.value(torch.tensor(2.5)),
            lambda: m.value(torch.tensor(7)),
            lambda: m.value(torch.tensor(True)),
            lambda: m.value(floats(2)),
            lambda: m.released(torch.arange(4)),
        ],
        ["make", "times", "shape", "type", "device", "value", "released"],
    ),
    Case(
        "tuple_arguments",
        r"""
#include <torch/extension.h>
int64_t area(std::tuple<int64_t, int64_t> size, std::pair<double, torch::Tensor> scaled) {
  auto [rows, columns] = size;
  return rows * columns + static_cast<int64_t>(scaled.first * scaled.second.numel());
}
""",
        lambda m, d: [
            lambda: m.area((2, 3), (1.5, torch.ones(4))),
            lambda: m.area([2, 3], (1, torch.ones(4))),
            lambda: m.area((2, 3, 4), (1.5, torch.ones(4))),
            lambda: m.area((2, 3.5), (1.5, torch.ones(4))),
            lambda: m.area((2, 3), (torch.ones(4), 1.5)),
            lambda: m.area(torch.Size([2, 3]), (1.5, torch.ones(4))),
            lambda: m.area(2, 3),
        ],
        ["area"],
    ),
    Case(
        "lesser_headers",
        r"""
#include <torch/extension.h>
#include <ATen/AccumulateType.h>
#include <ATen/Functions.h>
#include <ATen/OpMathType.h>
#include <ATen/core/TensorAccessor.h>
#include <c10/core/DeviceGuard.h>
#include <c10/core/Layout.h>
#include <c10/core/MemoryFormat.h>
#include <c10/core/Scalar.h>
#include <c10/macros/Macros.h>
#include <c10/util/irange.h>
template <typename scalar_t>
double total(torch::Tensor x) {
  at::acc_type<scalar_t, false> sum = 0;
  at::opmath_type<scalar_t> last = 0;
  for (const auto i : c10::irange(x.numel())) sum += last = x.data_ptr<scalar_t>()[i];
  return sum + last * sizeof(sum) + sizeof(at::acc_type<scalar_t, true>);
}
double add_up(torch::Tensor x, int64_t d) {
  if (x.scalar_type() == at::kHalf) return total<at::Half>(x);
  return total<float>(x) + at::maybe_wrap_dim(d, x.dim());
}
""",
        lambda m, d: [
            lambda: m.add_up(torch.arange(5.0), 0),
            lambda: m.add_up(torch.ones(2, 3) / 3, -1),
            lambda: m.add_up(torch.ones(2, 3) / 3, 2),
            lambda: m.add_up(torch.tensor(1.0), -1),
            lambda: m.add_up(torch.arange(5.0).half(), 0),
        ],
        ["add_up"],
    ),
    Case(
        "library_and_bindings",
        r"""
#include <torch/extension.h>
#include <torch/library.h>
torch::Tensor scale(const torch::Tensor& x, double by, int64_t add, bool negate) {
  TORCH_CHECK(by != 0, "by is zero");
  auto y = x * by + add;
  return negate ? -y : y;
}
std::tuple<torch::Tensor, int64_t> pair(torch::Tensor x, std::optional<torch::Tensor> y,
                                        std::optional<double> z) {
  return {y ? x + *y : x.clone(), static_cast<int64_t>(z.value_or(-1))};
}
std::vector<torch::Tensor> list(std::vector<torch::Tensor> xs, at::IntArrayRef shape) {
  for (auto& x : xs) x = x.view(shape);
  return xs;
}
void clear(torch::Tensor x) { x.zero_(); }
TORCH_LIBRARY(TORCH_EXTENSION_NAME, m) {
  m.def("scale(Tensor x, float by, int add=1, bool negate=False) -> Tensor");
  m.def("pair", &pair);
  m.def("list", list);
  m.def("clear(Tensor(a!) x) -> ()", &clear);
  m.def("twice", [](torch::Tensor x) { return x + x; });
}
TORCH_LIBRARY_IMPL(TORCH_EXTENSION_NAME, CPU, m) { m.impl("scale", &scale); }
TORCH_LIBRARY_FRAGMENT(TORCH_EXTENSION_NAME, m) {
  m.def("more(int a) -> int", [](int64_t a) { return a; });
}
torch::Tensor add(torch::Tensor x, c10::optional<torch::Tensor> bias, double by) {
  return bias ? x + *bias * by : x * by;
}
PYBIND11_MODULE(TORCH_EXTENSION_NAME, m) {
  m.def("add", &add, py::arg("x").none(false), py::arg("bias") = c10::nullopt,
        py::arg("by") = 2.0, "Adds", py::call_guard<py::gil_scoped_release>());
  m.def("held", [] { return PyGILState_Check(); });
  m.def("released", [] { return PyGILState_Check(); }, py::call_guard<py::gil_scoped_release>());
  m.def("none", &add, py::arg("x"), py::arg("bias").none(true) = py::none(), py::arg("by") = 1);
}
""",
        lambda m, d: [
            lambda: ops(m).scale(floats(5), 2.0),
            lambda: ops(m).scale(floats(5), by=2, add=3, negate=True),
            lambda: ops(m).scale(floats(5), 0.0),
            lambda: _message(lambda: ops(m).scale("x", 0.0)),
            lambda: ops(m).scale(torch.ones(2, requires_grad=True), 2.0),
            lambda: ops(m).pair(floats(5), None, None),
            lambda: ops(m).pair(floats(5), torch.ones(5), 2.5),
            lambda: ops(m).list([floats(6), torch.ones(2, 3)], [3, 2]),
            lambda: ops(m).list([], [3, 2]),
            lambda: (lambda x: (ops(m).clear(x), x))(torch.ones(2)),
            lambda: ops(m).twice(torch.ones(2, requires_grad=True)),
            lambda: ops(m).more(7),
            lambda: _schema(ops(m).pair),
            lambda: _schema(ops(m).list),
            lambda: _schema(ops(m).scale),
            lambda: m.add(torch.ones(2)),
            lambda: m.add(torch.ones(2), torch.ones(2)),
            lambda: m.add(torch.ones(2), by=3),
            lambda: m.add(None),
            lambda: (m.held(), m.released()),
            lambda: m.none(torch.ones(2)),
            lambda: m.none(torch.ones(2), None, 4.0),
        ],
    ),
    Case(
        "full_overloads",
        r"""
#include <torch/extension.h>
int64_t whole(int64_t x) { return x; }
double half(double x) { return x / 2; }
PYBIND11_MODULE(TORCH_EXTENSION_NAME, m) {
  const char* name = "f";
  m.def(name, &whole);
  m.def(name, &half);
}
""",
        route="full",
    ),
    Case(
        "full_library_filled_in_a_loop",
        r"""
#include <torch/extension.h>
int64_t same(int64_t x) { return x; }
TORCH_LIBRARY(lean_corpus_loop, m) {
  for (auto name : {"a", "b", "c"}) m.def(name, &same);
}
""",
        route="full",
    ),
    Case(
        "rejected_c_limits_not_brought",
        "#include <torch/extension.h>\nfloat most() { return FLT_MAX; }\n",
        functions=["most"],
        route="rejected",
    ),
    Case(
        "rejected_pointer_as_number",
        r"""
#include <torch/extension.h>
torch::Tensor filled(torch::Tensor x) {
  int number = 1;
  return torch::full({2}, &number);
}
""",
        functions=["filled"],
        route="rejected",
    ),
    Case(
        "rejected_accessor_of_temporary",
        r"""
#include <torch/extension.h>
float corner(torch::Tensor x) { return x.contiguous().accessor<float, 2>()[0][0]; }
""",
        functions=["corner"],
        route="rejected",
    ),
    Case(
        "rejected_overload",
        r"""
#include <torch/extension.h>
torch::Tensor wrong(torch::Tensor x) { return torch::cat(x, 0) + torch::softmax(x); }
""",
        functions=["wrong"],
        route="rejected",
    ),
    Case(
        "rejected_library_type",
        r"""
#include <torch/extension.h>
int narrow(int x) { return x; }
TORCH_LIBRARY(lean_corpus_rejected, m) { m.def("narrow", &narrow); }
""",
        route="rejected",
    ),
]
