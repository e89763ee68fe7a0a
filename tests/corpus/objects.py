"""C++ sources that take, make and return Python's own objects, as bindings with options do."""

from __future__ import annotations

import collections
import re
from typing import Any

import torch

from corpus.case import Case, floats

_TAKEN = r"""
#include <torch/extension.h>
py::object same(py::object x) { return x; }
py::handle held(py::handle x) { return x; }
py::tuple of_tuple(py::tuple x) { return x; }
py::list of_list(const py::list& x) { return x; }
py::dict of_dict(py::dict x) { return x; }
py::str of_str(py::str x) { return x; }
py::int_ of_int(py::int_ x) { return x; }
std::vector<py::object> several(std::optional<py::dict> x, std::vector<py::tuple> y) {
  std::vector<py::object> all;
  if (x) all.push_back(*x);
  for (auto& one : y) all.push_back(one);
  return all;
}
"""

_NAMES = ("same", "held", "of_tuple", "of_list", "of_dict", "of_str", "of_int", "several")


class _Broken:
    """Raises in whatever is asked of it."""

    def __getattr__(self, name: str) -> Any:
        raise KeyError(name)

    def __iter__(self) -> Any:
        yield torch.ones(2)
        raise ZeroDivisionError("while iterating")

    def __len__(self) -> int:
        raise OSError(5, "no length")

    def __str__(self) -> str:
        raise ArithmeticError("no text")

    def __repr__(self) -> str:
        return "broken"


def _raises(*args: Any) -> Any:
    raise FileNotFoundError(2, "from within", "a file")


def _identical(function: Any) -> list[bool]:
    """Objects come back as they are, and none is kept or lost."""
    thing = object()
    return [function(thing) is thing, function(None) is None]


def _text(call: Any) -> str:
    """The whole of an error, of which outcomes compare the first line."""
    try:
        return repr(call())
    except Exception as error:
        said = f"{type(error).__name__}: {error} {error.args} {error.__cause__}"
        return re.sub(r"\w+__(\w+\()", r"\1", said)


def _signature(function: Any) -> str:
    """Parameters and result: names and texts are the binding's."""
    return str(function.__doc__).partition("(")[2].partition("\n")[0]


_GIVEN = [(), (1, 2), [1], {}, {"a": 1}, "text", b"bytes", 3, True, 2.5, None]
_GIVEN += [torch.Size([2]), collections.OrderedDict(a=1), type("Mine", (list,), {})([4])]

CASES = [
    Case(
        "objects_taken",
        _TAKEN,
        lambda m, d: [
            *[
                lambda name=name, x=x: _text(lambda: getattr(m, name)(x))
                for name in _NAMES[:-1]
                for x in _GIVEN
            ],
            lambda: m.several(None, []),
            lambda: m.several({"a": 1}, [(1,), ()]),
            lambda: m.several([], [(1,), ()]),
            lambda: m.several({}, [(1,), [2]]),
            lambda: [_identical(m.same), _identical(m.held)],
            *[lambda name=name: _signature(getattr(m, name)) for name in _NAMES],
        ],
        _NAMES,
    ),
    Case(
        "objects_made",
        r"""
#include <torch/extension.h>
py::tuple pair(torch::Tensor x, int64_t n) {
  return py::make_tuple(x, n, "text", 2.5, true, std::string("s"), std::vector<int64_t>{1, n});
}
py::tuple nothing() { return py::make_tuple(); }
py::object value(int64_t n) {
  if (n == 0) return py::none();
  if (n == 1) return py::cast(torch::ones({2}));
  if (n == 2) return py::cast(std::vector<double>{1.5, 2});
  return py::make_tuple(py::cast(n), py::none(), py::cast("x"));
}
py::tuple null() { return py::make_tuple(1, py::object()); }
py::object none_at_all() { return py::object(); }
py::dict stats(py::list xs) {
  py::dict d;
  double sum = 0;
  for (auto x : xs) sum += x.cast<double>();
  d["sum"] = sum;
  d["n"] = xs.size();
  d["none"] = py::none();
  d["list"] = xs;
  if (!xs.empty()) d["pair"] = py::make_tuple(1, xs[0]);
  d[py::make_tuple(1, 2)] = "by tuple";
  return d;
}
py::list changed(py::list xs) {
  xs[0] = 1.5;
  xs[1] = xs[0];
  auto first = xs[0];
  first = 7;
  xs.append(first);
  xs.append(torch::ones({1}));
  xs.append("text");
  return xs;
}
py::tuple filled(int64_t n) {
  py::tuple t(n);
  for (int64_t i = 0; i < n; i++) t[i] = i * i;
  return t;
}
py::list sized(int64_t n) {
  py::list l(n);
  for (int64_t i = 0; i < n; i++) l[i] = py::list();
  return l;
}
""",
        lambda m, d: [
            lambda: m.pair(floats(3), 4),
            lambda: m.nothing(),
            *[lambda n=n: m.value(n) for n in range(4)],
            lambda: m.null(),
            lambda: _text(m.none_at_all),
            lambda: m.stats([1, 2.5, True]),
            lambda: m.stats([]),
            lambda: m.stats([1, "x"]),
            lambda: m.stats([torch.ones(2)]),
            lambda: m.stats((1, 2)),
            lambda: m.changed([0, 0]),
            lambda: m.changed([0]),
            lambda: m.changed([]),
            lambda: m.filled(3),
            lambda: m.filled(0),
            lambda: m.sized(2),
        ],
        ["pair", "nothing", "value", "null", "none_at_all", "stats", "changed", "filled", "sized"],
    ),
    Case(
        "objects_read",
        r"""
#include <torch/extension.h>
int64_t first(py::tuple t) { return t[0].cast<int64_t>() + 10 * t.size() + 100 * py::len(t); }
double alpha(const py::dict& d) { return d.contains("alpha") ? d["alpha"].cast<double>() : -1; }
double needed(py::dict d) { return py::cast<double>(d["alpha"]); }
py::list items(py::dict d) {
  py::list out;
  for (auto item : d) {
    out.append(item.first);
    out.append(py::cast<std::string>(item.second));
  }
  for (auto [key, value] : d) out.append(py::make_tuple(key, value));
  return out;
}
torch::Tensor sum(py::object xs) {
  TORCH_CHECK(!xs.is_none(), "nothing");
  if (py::isinstance<py::dict>(xs)) throw py::type_error("a dict");
  if (py::isinstance<py::str>(xs)) throw py::value_error(std::string("a ") + "text");
  torch::Tensor s = torch::zeros({2});
  for (auto x : xs) s = s + x.cast<torch::Tensor>();
  return s;
}
py::list listed(py::object o) { return o.cast<py::list>(); }
py::tuple tupled(py::object o) {
  py::tuple t = o;
  return t;
}
py::dict mapped(py::object o) { return py::dict(o); }
std::string text(py::object o) { return std::string(py::str(o)); }
int64_t length(py::object o) { return py::len(o); }
bool within(py::object o, py::object x) { return o.contains(x) || o.contains("key"); }
std::vector<bool> kinds(py::object o) {
  return {py::isinstance<py::tuple>(o), py::isinstance<py::list>(o), py::isinstance<py::dict>(o),
          py::isinstance<py::str>(o), py::isinstance<py::int_>(o), py::isinstance<py::object>(o),
          o.is(py::none())};
}
bool of_type(py::object o, py::object type) { return py::isinstance(o, type); }
int64_t number(py::object o) { return o.cast<int64_t>(); }
std::vector<int64_t> numbers(py::object o) { return o.cast<std::vector<int64_t>>(); }
std::vector<torch::Tensor> tensors(py::list o) {
  return py::cast<std::vector<torch::Tensor>>(o);
}
double choice(py::object o) { return o.cast<std::optional<double>>().value_or(-1); }
std::tuple<int64_t, std::string> both(py::object o) {
  return o.cast<std::tuple<int64_t, std::string>>();
}
torch::ScalarType type(py::object o) { return o.cast<at::ScalarType>(); }
torch::Device device(py::object o) { return o.cast<torch::Device>(); }
at::Scalar scalar(py::object o) { return o.cast<at::Scalar>(); }
py::object item(py::object o, py::object key) { return o[key]; }
py::object named(py::object o) { return o["key"]; }
""",
        lambda m, d: [
            *[lambda x=x: m.first(x) for x in ((1, 2), (), ("x",), (2.5,), [1], torch.Size([3]))],
            *[lambda x=x: m.alpha(x) for x in ({"alpha": 2}, {}, {"alpha": "x"}, [])],
            *[lambda x=x: m.needed(x) for x in ({"alpha": 2}, {}, {"alpha": None})],
            lambda: m.items({"a": "b", 2: "c"}),
            lambda: m.items({"a": 1}),
            lambda: m.items({}),
            lambda: m.sum([torch.ones(2), torch.ones(2)]),
            *[
                lambda x=x: m.sum(x)
                for x in (None, {}, "x", 3, (), [torch.ones(2), 1], _Broken(), torch.ones(2, 2))
            ],
            *[
                lambda name=name, x=x: getattr(m, name)(x)
                for name in ("listed", "tupled", "mapped", "text", "length", "kinds", "number")
                for x in (*_GIVEN, _Broken(), {1: 2}.items(), 2**70, "\ud800")
                if not (name == "text" and x == "\ud800")
            ],
            lambda: _text(lambda: m.text("\ud800")),
            *[
                lambda name=name, x=x: _text(lambda: getattr(m, name)(x))
                for name in ("numbers", "choice", "both", "type", "device", "scalar", "named")
                for x in (*_GIVEN, (1, "x"), torch.float64, torch.device("cpu"), {"key": 5})
            ],
            lambda: m.tensors([torch.ones(2)]),
            lambda: m.tensors([1]),
            lambda: m.within([1, "key"], 2),
            lambda: m.within([1], 2),
            lambda: m.within({2: 1}, 2),
            lambda: m.within(3, 2),
            lambda: m.within({}, []),
            lambda: m.of_type(3, int),
            lambda: m.of_type(3, (str, float)),
            lambda: m.of_type(3, 4),
            lambda: m.item([1, 2], 1),
            lambda: m.item([1, 2], 5),
            lambda: m.item({}, "x"),
        ],
        [
            "first",
            "alpha",
            "needed",
            "items",
            "sum",
            "listed",
            "tupled",
            "mapped",
            "text",
            "length",
            "within",
            "kinds",
            "of_type",
            "number",
            "numbers",
            "tensors",
            "choice",
            "both",
            "type",
            "device",
            "scalar",
            "item",
            "named",
        ],
    ),
    Case(
        "objects_called",
        r"""
#include <torch/extension.h>
py::object call(py::object f, torch::Tensor x) { return f(x, 2, "by", py::none()); }
double applied(py::object f, double x) { return f(x).cast<double>(); }
py::object attribute(py::object o, const std::string& name) {
  return py::hasattr(o, name.c_str()) ? py::object(o.attr(name.c_str())) : py::none();
}
int64_t dim(py::object o) { return py::cast<int64_t>(o.attr("shape").attr("__len__")()); }
void set(py::object o) {
  o.attr("alpha") = 2.5;
  o.attr("beta") = o.attr("alpha");
}
torch::Tensor with(torch::Tensor x, py::object scale, py::dict options) {
  if (scale.is_none()) return x;
  auto by = scale.cast<double>();
  if (options.contains("twice") && options["twice"].cast<bool>()) by *= 2;
  return x * by;
}
py::object borrowed(py::handle h) { return py::reinterpret_borrow<py::object>(h); }
py::tuple stolen(int64_t n) {
  PyObject* t = PyTuple_New(1);
  PyTuple_SET_ITEM(t, 0, PyLong_FromLong(n));
  return py::reinterpret_steal<py::tuple>(t);
}
void raised(int64_t n) {
  if (n == 0) throw py::index_error("index");
  if (n == 1) throw py::key_error("key");
  if (n == 2) throw py::cast_error("cast");
  if (n == 3) throw std::out_of_range("range");
  PyErr_SetString(PyExc_LookupError, "by hand");
  throw py::error_already_set();
}
PYBIND11_MODULE(TORCH_EXTENSION_NAME, m) {
  m.def("call", &call);
  m.def("applied", &applied);
  m.def("attribute", &attribute);
  m.def("dim", &dim);
  m.def("set", &set);
  m.def("with", &with, py::arg("x"), py::arg("scale") = py::none(),
        py::arg("options") = py::dict(), "Scales");
  m.def("not_none", &with, py::arg("x"), py::arg("scale").none(false), py::arg("options"));
  m.def("borrowed", &borrowed);
  m.def("stolen", &stolen);
  m.def("raised", &raised);
  m.def("lambda", [](py::object x, py::list y) -> py::object { return y[py::len(x)]; });
}
""",
        lambda m, d: [
            lambda: m.call(lambda *args: args, floats(2)),
            lambda: m.call(lambda x: x, floats(2)),
            lambda: _text(lambda: m.call(_raises, floats(2))),
            lambda: m.call(3, floats(2)),
            lambda: m.applied(abs, -2),
            lambda: m.applied(str, 1.5),
            lambda: m.attribute(floats(2, 3), "shape"),
            lambda: m.attribute(floats(2, 3), "shapes"),
            lambda: _text(lambda: m.attribute(_Broken(), "shape")),
            lambda: m.dim(floats(2, 3)),
            lambda: m.dim(3),
            lambda: m.dim(_Broken()),
            lambda: (lambda o: (m.set(o), vars(o)))(type("Open", (), {})()),
            lambda: m.set(3),
            lambda: getattr(m, "with")(floats(2)),
            lambda: getattr(m, "with")(floats(2), 2),
            lambda: getattr(m, "with")(floats(2), "x"),
            lambda: getattr(m, "with")(floats(2), options={"twice": True}, scale=3),
            lambda: getattr(m, "with")(floats(2), 2, None),
            lambda: getattr(m, "with").__doc__,
            lambda: m.not_none(floats(2), None, {}),
            lambda: m.not_none(floats(2), 2, {}),
            lambda: m.borrowed("x"),
            lambda: m.stolen(5),
            *[lambda n=n: _text(lambda: m.raised(n)) for n in range(5)],
            lambda: getattr(m, "lambda")("a", [1, 2]),
            lambda: getattr(m, "lambda")("ab", [1, 2]),
            lambda: getattr(m, "lambda").__doc__,
        ],
    ),
    Case(
        "rejected_pointer_as_object",
        r"""
#include <torch/extension.h>
py::list listed() {
  py::list l;
  int n = 0;
  l = n;
  return l;
}
""",
        functions=["listed"],
        route="rejected",
    ),
]
