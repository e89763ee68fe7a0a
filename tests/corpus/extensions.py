"""C++ sources with what public extensions use: memory formats, libraries of many functions."""

from __future__ import annotations

import itertools

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


_MANY = 40

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
