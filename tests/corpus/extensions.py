"""C++ sources with what public extensions use: memory formats, libraries of many functions."""

from __future__ import annotations

import itertools
from typing import Any

import torch

from corpus.case import Case, floats
from corpus.parts import ops


def _layouts() -> list[torch.Tensor]:
    """Tensors of up to five dimensions, permuted, with gaps, with dimensions of one and of none."""
    shapes = [(), (3,), (1,), (0,), (2, 3), (2, 3, 4), (1, 3, 1)]
    shapes += [(2, 3, 4, 5), (2, 1, 4, 5), (2, 3, 1, 1), (1, 3, 4, 1), (4, 1, 1, 1), (0, 2, 3, 4)]
    shapes += [(2, 3, 2, 3, 2), (2, 1, 2, 1, 2), (1, 1, 1, 1, 1)]
    tensors = [torch.zeros(shape) for shape in shapes]
    tensors += [floats(2, 3, 4, 5).permute(order) for order in itertools.permutations(range(4))] + [
        floats(2, 3, 4, 5, 2).permute(0, 4, 1, 2, 3),
        floats(2, 3, 4, 5, 2).permute(4, 3, 2, 1, 0),
    ]
    for shape in ((2, 3, 4, 5), (2, 1, 4, 5), (2, 3, 1, 1), (1, 3, 4, 1), (3, 1, 1, 5)):
        tensors.append(floats(*shape).to(memory_format=torch.channels_last))
    tensors += [t[..., ::2] for t in list(tensors) if t.dim() > 1]
    tensors += [floats(3, 1).expand(3, 4), floats(1, 1, 1, 1).expand(2, 3, 4, 5)]
    return [*tensors, torch.empty_strided((2, 3, 4, 5), (60, 0, 15, 3))]


def _registered(module: Any) -> Any:
    """Operators whose names are fixed are registered on demand: one process loads both builds."""
    module.add()
    return torch.ops.lean_corpus_registry


_MANY = 40

_DTYPES = [torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64, torch.float16]
_DTYPES += [torch.float32, torch.bool, torch.float64, torch.bfloat16, torch.complex64]
_DTYPES += [torch.complex128, torch.uint16, torch.uint32, torch.uint64, torch.float8_e5m2]
_DTYPES += [torch.float8_e4m3fn, torch.float8_e8m0fnu, torch.float4_e2m1fn_x2, torch.quint8]

CASES = [
    Case(
        "layouts_of_memory",
        r"""
#include <ATen/Operators.h>
#include <ATen/NativeFunctions.h>
#include <ATen/TensorUtils.h>
#include <torch/torch.h>
std::tuple<bool, int64_t, int64_t> formats(torch::Tensor x) {
  return {x.is_non_overlapping_and_dense(), static_cast<int64_t>(x.suggest_memory_format()),
          static_cast<int64_t>(x.suggest_memory_format(true))};
}
bool place(torch::Tensor x) {
  TORCH_CHECK(x.dim() == 2, "on ", x.device());
  return x.device().is_meta();
}
torch::Tensor shaped(torch::Tensor x) {
  return torch::zeros(x.sizes(), x.options()).contiguous(x.suggest_memory_format());
}
""",
        lambda m, d: [
            *[lambda x=x: m.formats(x) for x in _layouts()],
            *[
                lambda s=s, d=d: m.place(torch.empty(s, device=d))
                for s in ((2,), (2, 2))
                for d in ("cpu", "meta")
            ],
            lambda: m.shaped(floats(2, 3, 4, 5).to(memory_format=torch.channels_last)),
        ],
        ["formats", "shaped", "place"],
    ),
    Case(
        "indices",
        r"""
#include <torch/extension.h>
using namespace torch::indexing;
using at::indexing::TensorIndex;
std::vector<torch::Tensor> get(torch::Tensor x, torch::Tensor where, int i, int64_t n, bool yes) {
  std::vector<TensorIndex> listed{"...", i};
  return {x.index({Slice()}), x.index({Slice(None), 0}), x.index({Slice(1, None), Slice(None, n)}),
          x.index({Ellipsis, Slice(None, None, 2)}), x.index({None, i}), x.index({where}),
          x.index({Slice(0, n), where}), x.index({yes, "...", None}), x.index(listed),
          x.index({0}), x.index({Slice(-2, None), Slice({None, 2})}), x.index({x > 0})};
}
torch::Tensor put(torch::Tensor x, torch::Tensor where, int64_t n) {
  x.index_put_({Slice(0, n)}, x.index({Slice(-1, None)}) * 2);
  x.index_put_({Slice(None, None, 2), where}, 7).index_put_({"...", 0}, -1.5);
  std::vector<TensorIndex> last{Slice(), -1};
  x.index_put_(last, x.index({Slice(), 1}));
  return x.index_put_({x < -1}, torch::zeros({}, x.options()));
}
torch::Tensor step(torch::Tensor x, int64_t by) { return x.index({Slice(None, None, by)}); }
torch::Tensor text(torch::Tensor x, std::string t) { return x.index({t.c_str()}); }
""",
        lambda m, d: [
            lambda: m.get(floats(4, 3, 5), torch.tensor([0, 2]), 1, 2, True),
            lambda: m.get(floats(4, 3).t(), torch.tensor([1, 1, -1]), -1, 1, False),
            lambda: m.get(floats(4, 3), torch.tensor([0, 9]), 1, 2, True),
            lambda: m.get(torch.ones(4, 3, requires_grad=True), torch.tensor([0]), 1, 2, True),
            lambda: m.put(floats(4, 3), torch.tensor([0, 2]), 2),
            lambda: m.put(floats(4, 3, dtype=torch.float64), torch.tensor([1]), 4),
            lambda: m.put(torch.ones(2, 2, requires_grad=True), torch.tensor([1]), 1),
            lambda: m.step(floats(4, 3), 3),
            lambda: m.step(floats(4, 3), 0),
            lambda: m.step(floats(4, 3), -1),
            lambda: m.text(floats(4, 3), "..."),
            lambda: m.text(floats(4, 3), ".."),
        ],
        ["get", "put", "step", "text"],
    ),
    Case(
        "blobs_with_deleters",
        r"""
#include <torch/extension.h>
#if TORCH_VERSION_MAJOR >= 2
int64_t freed = 0;
torch::Tensor owned(int64_t n) {
  auto* memory = new float[n];
  for (int64_t i = 0; i < n; i++) memory[i] = 0.5f * i;
  return torch::from_blob(memory, {n}, [n](void* p) { delete[] (float*)p; freed += n; });
}
torch::Tensor strided() {
  auto options = torch::TensorOptions().dtype(torch::kInt32);
  std::function<void(void*)> free = [](void* p) { delete[] static_cast<int*>(p); freed++; };
  return torch::from_blob(new int[6]{0, 1, 2, 3, 4, 5}, {3, 2}, {1, 3}, free, options);
}
int64_t count() { return freed; }
bool given(std::optional<const torch::Tensor> x) { return x.has_value(); }
#endif
""",
        lambda m, d: [
            lambda: m.owned(3),
            lambda: m.strided() + 1,
            lambda: (lambda before: (m.owned(4) is m, m.strided() is m, m.count() - before))(
                m.count()
            ),
            lambda: (m.given(None), m.given(floats(2))),
        ],
        ["owned", "strided", "count", "given"],
    ),
    Case(
        "rejected_put_into_const",
        r"""
#include <torch/extension.h>
void put(const torch::Tensor& x) { x.index_put_({0}, 1); }
""",
        functions=["put"],
        route="rejected",
    ),
    Case(
        "rejected_index_of_a_float",
        r"""
#include <torch/extension.h>
torch::Tensor item(torch::Tensor x) { return x.index({std::vector<float>{1}}); }
""",
        functions=["item"],
        route="rejected",
    ),
    Case(
        "registered_operators",
        r"""
#include <torch/script.h>
#include <ATen/Parallel.h>
torch::Tensor shifted(torch::Tensor x, c10::optional<torch::Tensor> by, double factor) {
  return by ? x + *by * factor : x;
}
std::tuple<torch::Tensor, int64_t> counted(const torch::Tensor& x, bool all) {
  TORCH_CHECK(all, "not all of ", x.numel());
  return {x * 2, x.numel()};
}
int64_t grain() { return at::internal::GRAIN_SIZE; }
void add() {
  static auto registry = torch::RegisterOperators()
      .op("lean_corpus_registry::shifted", &shifted)
      .op("lean_corpus_registry::counted", counted);
  static const auto other = c10::RegisterOperators().op(
      "lean_corpus_registry::listed.all",
      [](std::vector<torch::Tensor> xs, std::vector<int64_t> n) {
        for (auto& x : xs) x = x + n.at(0);
        return xs;
      });
  static torch::RegisterOperators third("lean_corpus_registry::grown", &grain);
}
""",
        lambda m, d: [
            lambda: torch._C._dispatch_has_kernel("lean_corpus_registry::shifted"),
            lambda: _registered(m).shifted(floats(5), None, 2.0),
            lambda: _registered(m).shifted(torch.ones(2, requires_grad=True), floats(2), 2.0),
            lambda: _registered(m).counted(floats(5), True),
            lambda: _registered(m).counted(floats(5), False),
            lambda: _registered(m).counted(floats(5)),
            lambda: _registered(m).listed([floats(2), floats(3)], [4]),
            lambda: _registered(m).grown() == m.grain(),
            *[
                lambda n=n: str(getattr(_registered(m), n)._schemas)
                for n in ("shifted", "counted", "listed", "grown")
            ],
            *[
                lambda n=n, k=k: torch._C._dispatch_has_kernel_for_dispatch_key(
                    f"lean_corpus_registry::{n}", k
                )
                for n in ("shifted", "listed.all")
                for k in ("CompositeImplicitAutograd", "CPU", "CUDA")
            ],
        ],
        ["grain", "add"],
    ),
    Case(
        "full_registered_with_a_schema",
        r"""
#include <torch/extension.h>
int64_t next(int64_t i) { return i + 1; }
static auto registry =
    torch::RegisterOperators().op("lean_corpus_schema::next(int i=1) -> int", &next);
PYBIND11_MODULE(TORCH_EXTENSION_NAME, m) {}
""",
        route="full",
    ),
    Case(
        "kinds_of_numbers",
        r"""
#include <ATen/ATen.h>
#include <torch/csrc/utils/tensor_flatten.h>
#include <torch/extension.h>
template <class T>
bool is(at::ScalarType t) {
  return t == c10::CppTypeToScalarType<T>::value && c10::CppTypeToScalarType<T>() == t;
}
std::tuple<int64_t, bool, bool, bool, bool, bool> traits(torch::Tensor x) {
  const auto t = at::typeMetaToScalarType(x.dtype());
  return {static_cast<int64_t>(at::elementSize(t)), isFloatingType(t), c10::isIntegralType(t, true),
          torch::isIntegralType(t, false), at::isReducedFloatingType(t), at::isComplexType(t)};
}
std::string kind(torch::Tensor x) { return toString(x.scalar_type()); }
bool known(torch::Tensor x) {
  auto t = x.scalar_type();
  return is<float>(t) || is<double>(t) || is<int64_t>(t) || is<c10::Half>(t) || is<uint8_t>(t);
}
std::string promoted(torch::Tensor x, torch::Tensor y) {
  return toString(at::promoteTypes(x.scalar_type(), y.scalar_type()));
}
std::tuple<double, double, double> turned(double re, double im) {
  c10::complex<double> z(re, im);
  z = z * c10::complex<double>(0, 1) + 1.0;
  return {z.real(), z.imag(), std::abs(z)};
}
TORCH_API C10_ALWAYS_INLINE int64_t summed(int64_t n) {
  int64_t sum = 0;
  for (const auto i : c10::irange(2, n)) sum += C10_LIKELY(i > 0) ? i : C10_WARP_SIZE;
  return sum;
}
int64_t sum(int64_t n) { return summed(n); }
float half() { return c10::impl::ScalarTypeToCPPTypeT<at::kFloat>(0.5); }
torch::Tensor flat(std::vector<torch::Tensor> xs) {
  return torch::utils::flatten_dense_tensors(xs);
}
std::vector<torch::Tensor> apart(torch::Tensor x, std::vector<torch::Tensor> xs) {
  return torch::utils::unflatten_dense_tensors(x, xs);
}
""",
        lambda m, d: [
            *[
                lambda f=f, t=t: getattr(m, f)(torch.empty(2, dtype=t))
                for f in ("traits", "kind", "known")
                for t in _DTYPES
            ],
            *[
                lambda a=a, b=b: m.promoted(torch.empty(2, dtype=a), torch.empty(2, dtype=b))
                for a in _DTYPES[:8]
                for b in _DTYPES[:8]
            ],
            lambda: m.promoted(torch.empty(2, dtype=torch.uint16), torch.empty(2)),
            lambda: m.promoted(
                torch.empty(2, dtype=torch.float8_e5m2), torch.empty(2, dtype=torch.float8_e4m3fn)
            ),
            lambda: (m.turned(1.5, -2.0), m.half(), m.sum(6)),
            lambda: m.flat([floats(2, 3), floats(4)]),
            lambda: m.flat([]),
            lambda: m.flat([floats(2), torch.ones(2, dtype=torch.int64)]),
            lambda: m.apart(floats(10), [floats(2, 3), floats(4)]),
            lambda: m.apart(floats(9), [floats(2, 3), floats(4)]),
        ],
        ["traits", "kind", "known", "promoted", "turned", "half", "sum", "flat", "apart"],
    ),
    Case(
        "errors_of_a_module",
        """
#include <torch/extension.h>
#include <stdexcept>
at::Tensor raise(at::Tensor x, int64_t i) {
  TORCH_CHECK(i != 0, "plain ", i);
  TORCH_CHECK_VALUE(i != 1, "value ", i);
  TORCH_CHECK_INDEX(i != 2, "index ", i);
  TORCH_CHECK_TYPE(i != 3, "type ", i);
  TORCH_CHECK_NOT_IMPLEMENTED(i != 4, "not there ", i);
  if (i == 6) AT_ERROR("at error ", i);
  if (i == 7) throw std::runtime_error("runtime");
  if (i == 8) throw std::out_of_range("range");
  if (i == 9) throw std::invalid_argument("argument");
  if (i == 10) throw std::overflow_error("overflow");
  if (i == 11) throw 3;
  return x.index_select(i, x);  // an error of torch's own
}
short small(int64_t i) { return static_cast<short>(i); }
unsigned char octet(int64_t i) { return static_cast<unsigned char>(i); }
signed char signed_octet(int64_t i) { return static_cast<signed char>(i); }
PYBIND11_MODULE(TORCH_EXTENSION_NAME, m) {
  m.def("raise", &raise);
  m.def("small", &small);
  m.def("octet", &octet);
  m.def("signed_octet", &signed_octet);
}
""",
        lambda m, d: [
            *[lambda i=i: getattr(m, "raise")(floats(2), i) for i in range(13) if i != 5],
            *[
                lambda f=f: (getattr(m, f)(-3 % 128), getattr(m, f).__doc__)
                for f in ("small", "octet", "signed_octet")
            ],
        ],
    ),
    Case(
        "a_char",
        "#include <torch/extension.h>\n"
        "char letter() { return 'a'; }\n"
        'PYBIND11_MODULE(TORCH_EXTENSION_NAME, m) { m.def("letter", &letter); }\n',
        lambda m, d: [lambda: m.letter()],
        route="full",
    ),
    Case(
        "many_in_a_library",
        "#include <torch/extension.h>\n#include <torch/script.h>\n"
        '#define ADD_ONE(m, i) m.def("add_" #i, [](torch::Tensor x) { return x + i; });\n'
        "#define ADD_TWO(m, i, j) ADD_ONE(m, i) ADD_ONE(m, j)\n"
        "at::Tensor given(const at::Tensor& x) { return x * 2; }\n"
        "TORCH_LIBRARY_FRAGMENT(TORCH_EXTENSION_NAME, m) {\n"
        + "\n".join(f"  ADD_TWO(m, {i}, {i + 1})" for i in range(0, _MANY, 2))
        + '\n  m.def("given(Tensor x) -> Tensor");\n}\n'
        "TORCH_LIBRARY_IMPL(TORCH_EXTENSION_NAME, CPU, m) {\n"
        '  m.impl("given", TORCH_FN(given));\n}\n'
        "PYBIND11_MODULE(TORCH_EXTENSION_NAME, m) {}\n",
        lambda m, d: [
            *[
                lambda i=i: getattr(ops(m), f"add_{i}")(torch.ones(2))
                for i in (0, 31, 32, _MANY - 1)
            ],
            lambda: ops(m).given(floats(3)),
        ],
    ),
]
