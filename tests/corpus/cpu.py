"""C++ sources that run on any machine, in the styles that people use."""

from __future__ import annotations

import torch

from corpus.case import Case, floats

F32, F64, F16, BF16 = torch.float32, torch.float64, torch.float16, torch.bfloat16

CASES = [
    Case(
        "relu_with_include",
        r"""
#include <torch/extension.h>
torch::Tensor relu_cpu(torch::Tensor x) {
  auto y = torch::empty_like(x);
  const float* in = x.data_ptr<float>();
  float* out = y.data_ptr<float>();
  for (int64_t i = 0; i < x.numel(); ++i) out[i] = in[i] > 0 ? in[i] : 0.f;
  return y;
}
""",
        lambda m, d: [
            lambda: m.relu_cpu(floats(7, 9)),
            lambda: m.relu_cpu(floats(4, 4).half()),
            lambda: m.relu_cpu(floats(5, 3, 2).permute(2, 0, 1)),
            lambda: m.relu_cpu(None),
            lambda: m.relu_cpu(),
            lambda: m.relu_cpu(1.5),
            lambda: m.relu_cpu(torch.nn.Parameter(floats(3))),
        ],
        ["relu_cpu"],
    ),
    Case(
        "implicit_headers",
        r"""
at::Tensor twice(const at::Tensor& x) {
  at::Tensor y = at::zeros_like(x);
  std::transform(x.data_ptr<double>(), x.data_ptr<double>() + x.numel(), y.data_ptr<double>(),
                 [](double v) { return 2 * v; });
  return y;
}
""",
        lambda m, d: [lambda: m.twice(floats(3, 5, dtype=F64)), lambda: m.twice(floats(3))],
        ["twice"],
    ),
    Case(
        "check_messages",
        r"""
#include <torch/extension.h>
#define CHECK_INPUT(x) TORCH_CHECK((x).is_contiguous(), #x " must be contiguous")
int64_t check(torch::Tensor x, int64_t n, double p) {
  TORCH_CHECK(x.dim() == 2, "expected 2-d, got ", x.dim(), "-d: ", x.sizes());
  TORCH_CHECK(n > 0)
  TORCH_CHECK(p < 10, "p is ", p, " or ", static_cast<float>(p), " flag ", n == 3, ' ', 'c');
  TORCH_CHECK(x.size(0) == n, std::string("rows ") + std::to_string(x.size(0)), " n ", n);
  TORCH_CHECK(x.scalar_type() == torch::kFloat32, "dtype ", x.scalar_type(), " on ", x.device());
  TORCH_CHECK(x.stride(1) == 1, "strides ", x.strides(), " dtype ", x.dtype());
  CHECK_INPUT(x);
  return x.size(-1);
}
void value_error(int i) {
  TORCH_CHECK_VALUE(i != 0, "bad value ", i);
  TORCH_CHECK_INDEX(i != 1, "bad index ", i);
  TORCH_CHECK_TYPE(i != 2, "bad type ", i);
  TORCH_CHECK_NOT_IMPLEMENTED(i != 3, "not there ", i);
  if (i == 4) AT_ERROR("at error ", i);
  if (i == 5) throw std::runtime_error("runtime");
  if (i == 6) throw std::invalid_argument("argument");
  if (i == 7) throw std::out_of_range("range");
  if (i == 8) throw 3;
}
""",
        lambda m, d: [
            lambda: m.check(floats(3, 4), 3, 1.0),
            lambda: m.check(floats(3), 3, 1.0),
            lambda: m.check(floats(3, 4), 0, 1.0),
            lambda: m.check(floats(3, 4), 3, 1234567.891),
            lambda: m.check(floats(3, 4), 4, 1e-9),
            lambda: m.check(floats(3, 4).double(), 3, 1.0),
            lambda: m.check(floats(4, 3).t(), 3, 1.0),
            lambda: m.check(floats(3, 8)[:, :4], 3, 1.0),
            lambda: m.check(floats(3, 4), 2.5, 1.0),
            lambda: m.check(floats(3, 4), "3", 1.0),
            lambda: m.check(floats(3, 4), True, 1),
            lambda: m.check(floats(3, 4), torch.tensor(3), torch.tensor(1.0)),
            lambda: m.check(floats(3, 4), 2**70, 1.0),
            *[lambda i=i: m.value_error(i) for i in range(8)],
        ],
        ["check", "value_error"],
    ),
    Case(
        "factories",
        r"""
#include <torch/extension.h>
std::vector<torch::Tensor> make(torch::Tensor x, int n) {
  auto opts = torch::TensorOptions().dtype(torch::kInt32).device(x.device());
  return {
      torch::zeros({n, 2}, opts), torch::ones({2, n}, x.options()),
      torch::full({n}, 1.25, x.options()), torch::full({2}, 7, torch::dtype(torch::kLong)),
      torch::zeros({3}), torch::zeros({}, torch::kFloat64), torch::zeros({1}, x.device()),
      torch::ones_like(x), torch::zeros_like(x, x.options().dtype(torch::kFloat64)),
      torch::full_like(x, -2), torch::zeros(x.sizes(), x.options().dtype(torch::kBool)),
      torch::zeros(std::vector<int64_t>{2, 3}, torch::device(torch::kCPU).dtype(torch::kHalf)),
      torch::arange(5), torch::arange(4, torch::kFloat32), torch::full({2, 2}, true),
      torch::full({3}, 0.5f), torch::empty({0, 4}),
      torch::ones({2}, torch::TensorOptions().requires_grad(true)),
      torch::empty_strided({2, 3}, {1, 2}, x.options()).fill_(4),
      torch::zeros_like(x, x.options(), torch::MemoryFormat::Contiguous)};
}
torch::Tensor negative(int64_t n) { return torch::empty({n}); }
""",
        lambda m, d: [
            lambda: m.make(floats(3, 4), 5),
            lambda: m.make(floats(4, 3).t(), 1),
            lambda: m.make(floats(2, 2, dtype=F64), 0),
            lambda: m.negative(-1),
        ],
        ["make", "negative"],
    ),
    Case(
        "properties",
        r"""
#include <torch/extension.h>
std::vector<int64_t> describe(const torch::Tensor& x) {
  std::vector<int64_t> out(x.sizes().begin(), x.sizes().end());
  for (auto s : x.strides()) out.push_back(s);
  out.push_back(x.numel()); out.push_back(x.dim()); out.push_back(x.ndimension());
  out.push_back(x.nbytes()); out.push_back(x.element_size()); out.push_back(x.itemsize());
  out.push_back(x.is_contiguous()); out.push_back(x.is_cuda()); out.push_back(x.is_cpu());
  out.push_back(x.get_device()); out.push_back(x.device().index()); out.push_back(x.defined());
  out.push_back(static_cast<int64_t>(x.scalar_type())); out.push_back(x.storage_offset());
  out.push_back(x.dtype() == torch::kFloat32); out.push_back(x.dtype() != torch::kHalf);
  out.push_back(x.device().type() == torch::kCPU); out.push_back(x.is_floating_point());
  out.push_back(x.options().device().is_cuda()); out.push_back(x.sizes().size());
  out.push_back(torch::Tensor().defined()); out.push_back(x.sizes() == x.strides());
  return out;
}
int64_t at_dim(torch::Tensor x, int64_t d) { return x.size(d) * 100 + x.stride(d); }
std::string name(torch::Tensor x) { return std::string(toString(x.scalar_type())); }
""",
        lambda m, d: [
            *[lambda t=t: m.describe(floats(2, 3).to(t)) for t in (F32, F64, F16, BF16)],
            lambda: m.describe(torch.arange(6)),
            lambda: m.describe(torch.tensor(3.0)),
            lambda: m.describe(floats(4, 6)[1:, ::2]),
            lambda: m.describe(torch.ones(2, 0, dtype=torch.bool)),
            *[lambda i=i: m.at_dim(floats(2, 3, 4), i) for i in (0, 2, -1, -3, 3, -4)],
            lambda: m.at_dim(torch.tensor(1.0), 0),
        ],
        ["describe", "at_dim"],
    ),
    Case(
        "views",
        r"""
#include <torch/extension.h>
std::vector<torch::Tensor> views(torch::Tensor x) {
  const int64_t n = x.numel();
  return {x.view({-1}), x.view({n}), x.reshape({2, -1}), x.t(), x.transpose(0, 1),
          x.permute({1, 0}), x.unsqueeze(0), x.unsqueeze(-1).squeeze(-1), x.squeeze(),
          x.t().contiguous(), x.clone(), x.flatten(), x.select(0, 1), x[0], x.narrow(1, 1, 2),
          x.detach(), x.expand({2, x.size(0), x.size(1)}), torch::transpose(x, 0, 1)};
}
torch::Tensor bad_view(torch::Tensor x, int64_t n) { return x.view({n, 2}); }
torch::Tensor row(torch::Tensor x, int64_t i) { return x[i]; }
""",
        lambda m, d: [
            lambda: m.views(floats(4, 6)),
            lambda: m.bad_view(floats(3, 3), 3),
            lambda: m.bad_view(floats(4, 4).t(), 8),
            lambda: m.row(floats(3, 2), 5),
        ],
        ["views", "bad_view", "row"],
    ),
    Case(
        "conversions",
        r"""
#include <torch/extension.h>
std::vector<torch::Tensor> convert(torch::Tensor x, torch::Tensor like) {
  return {x.to(torch::kFloat64), x.to(torch::kHalf), x.to(torch::kCPU), x.to(like), x.cpu(),
          x.to(x.options().dtype(torch::kInt)), x.toType(torch::kBFloat16),
          x.to(torch::Device(torch::kCPU), torch::kFloat), x.to(torch::kFloat32, false, true)};
}
""",
        lambda m, d: [
            lambda: m.convert(torch.arange(6.0).view(2, 3) / 3, torch.zeros(1, dtype=F64)),
            lambda: m.convert(torch.arange(6).view(2, 3), torch.zeros(1, dtype=torch.int8)),
        ],
        ["convert"],
    ),
    Case(
        "in_place_and_item",
        r"""
#include <torch/extension.h>
torch::Tensor& fill(torch::Tensor& x, double v) { return x.fill_(v); }
void clear(torch::Tensor x) { x.zero_(); }
void copy_into(torch::Tensor dst, const torch::Tensor& src) { dst.copy_(src); }
double total(torch::Tensor x) { return x.sum().item<double>(); }
float first(torch::Tensor x) { return x.view({-1})[0].item<float>(); }
bool any(torch::Tensor x) { return x.max().item<bool>(); }
torch::Tensor scale(torch::Tensor x) { x.mul_(2.0); x.add_(1); x *= 3; x += x; return x; }
""",
        lambda m, d: [
            lambda: m.fill(torch.ones(3), 2.5),
            lambda: m.fill(torch.ones(3, dtype=torch.int32), 2.5),
            lambda: m.clear(floats(3)),
            lambda: (lambda t: (m.copy_into(t, torch.arange(3)), t))(torch.zeros(3)),
            lambda: m.copy_into(torch.zeros(3), torch.arange(4)),
            lambda: m.total(torch.arange(5.0)),
            lambda: m.total(torch.zeros(2, 2, dtype=F64)),
            lambda: m.first(torch.full((2,), 0.1)),
            lambda: m.any(torch.tensor([False, True])),
            lambda: m.scale(torch.arange(4.0)),
        ],
        ["fill", "clear", "copy_into", "total", "first", "any", "scale"],
    ),
    Case(
        "operators",
        r"""
#include <torch/extension.h>
std::vector<torch::Tensor> math(torch::Tensor a, torch::Tensor b) {
  return {a + b, a - b, a * b, a / b, a + 1, a - 0.5, a * 2, a / 3, 2 * a, 1.5 + a, -a,
          torch::matmul(a, b.t()), torch::mm(a, b.t()), a.sum(0), a.sum({1, 0}), a.mean(),
          a.mean({1}, true), a.sum(), a.max(), a.min(), a.amax({1}), a.exp(), torch::sigmoid(a),
          torch::tanh(a), torch::relu(a), a.abs().sqrt(), a.softmax(-1), torch::softmax(a, 0),
          a.pow(2), torch::add(a, b, 2), torch::addmm(a, a, a.t().matmul(b)),
          at::linear(a, b), torch::linear(a, b, a.select(1, 0)), a.neg(), a.mul(b), a.div(2)};
}
torch::Tensor product(torch::Tensor a, torch::Tensor b) { return torch::matmul(a, b); }
torch::Tensor conv(torch::Tensor x, torch::Tensor w, torch::Tensor b) {
  return torch::conv2d(x, w, b, 1, 1) + at::conv2d(x, w, {}, {1, 1}, {1, 1}, 1, 1);
}
""",
        lambda m, d: [
            lambda: m.math(torch.rand(4, 4) * 0 + 0.3, torch.arange(16.0).view(4, 4) + 1),
            lambda: m.product(torch.ones(2, 3), torch.ones(2, 3)),
            lambda: m.product(torch.ones(2, 3), torch.ones(3, 2, dtype=F64)),
            lambda: m.conv(torch.ones(1, 2, 5, 5), torch.ones(3, 2, 3, 3), torch.arange(3.0)),
            lambda: m.product(torch.ones(2, 3, requires_grad=True), torch.ones(3, 2)).requires_grad,
        ],
        ["math", "product", "conv"],
    ),
    Case(
        "dispatch_floating",
        r"""
#include <torch/extension.h>
template <typename T> void run(const T* in, T* out, int64_t n) {
  for (int64_t i = 0; i < n; i++) out[i] = in[i] / (T(1) + std::exp(-in[i]));
}
torch::Tensor silu(torch::Tensor x) {
  auto y = torch::empty_like(x);
  AT_DISPATCH_FLOATING_TYPES(x.scalar_type(), "silu", ([&] {
    run<scalar_t>(x.data_ptr<scalar_t>(), y.data_ptr<scalar_t>(), x.numel());
  }));
  return y;
}
""",
        lambda m, d: [
            lambda: m.silu(floats(33)),
            lambda: m.silu(floats(33, dtype=F64)),
            lambda: m.silu(floats(3).half()),
            lambda: m.silu(torch.arange(3)),
        ],
        ["silu"],
        cflags=["-O2"],
    ),
    Case(
        "dispatch_reduced",
        r"""
#include <torch/extension.h>
torch::Tensor axpy(torch::Tensor x, torch::Tensor y, double a) {
  auto z = torch::empty_like(x);
  AT_DISPATCH_FLOATING_TYPES_AND2(at::ScalarType::Half, at::ScalarType::BFloat16, x.scalar_type(),
                                  "axpy", [&] {
    auto xs = x.data_ptr<scalar_t>(), ys = y.data_ptr<scalar_t>(), zs = z.data_ptr<scalar_t>();
    const scalar_t s = static_cast<scalar_t>(a);
    for (int64_t i = 0; i < x.numel(); i++) zs[i] = s * xs[i] + ys[i] - xs[i] / s;
  });
  return z;
}
torch::Tensor half_only(torch::Tensor x) {
  auto y = x.clone();
  AT_DISPATCH_FLOATING_TYPES_AND_HALF(x.scalar_type(), "half_only", [&] {
    for (int64_t i = 0; i < y.numel(); i++) y.data_ptr<scalar_t>()[i] *= 3;
  });
  return y;
}
double bits(torch::Tensor x) {
  const at::Half* h = x.data_ptr<at::Half>();
  float total = 0;
  for (int64_t i = 0; i < x.numel(); i++) total += static_cast<float>(h[i]) + h[i].x;
  return total;
}
""",
        lambda m, d: [
            *[
                lambda t=t: m.axpy(floats(64, dtype=t), floats(4, 16, dtype=t).view(64), 1.7)
                for t in (F32, F64, F16, BF16)
            ],
            *[lambda t=t: m.half_only(floats(9, dtype=t)) for t in (F32, F16, BF16)],
            lambda: m.bits(torch.arange(9.0).half()),
            lambda: m.bits(torch.arange(9.0).bfloat16()),
        ],
        ["axpy", "half_only", "bits"],
        cflags=["-O2"],
    ),
    Case(
        "dispatch_all",
        r"""
#include <torch/extension.h>
torch::Tensor plus_one(torch::Tensor x) {
  auto y = torch::empty_like(x);
  AT_DISPATCH_ALL_TYPES(x.scalar_type(), "plus_one", [&] {
    for (int64_t i = 0; i < x.numel(); i++)
      y.data_ptr<scalar_t>()[i] = x.data_ptr<scalar_t>()[i] + scalar_t(1);
  });
  return y;
}
int64_t count(torch::Tensor x) {
  return AT_DISPATCH_INTEGRAL_TYPES(x.scalar_type(), "count", [&]() -> int64_t {
    int64_t n = 0;
    for (int64_t i = 0; i < x.numel(); i++) n += x.data_ptr<scalar_t>()[i] != 0;
    return n;
  });
}
torch::Tensor with_bool(torch::Tensor x) {
  auto y = torch::empty_like(x);
  AT_DISPATCH_ALL_TYPES_AND(torch::kBool, x.scalar_type(), "with_bool", [&] {
    std::memcpy(y.data_ptr<scalar_t>(), x.data_ptr<scalar_t>(), x.nbytes());
  });
  return y;
}
""",
        lambda m, d: [
            *[
                lambda t=t: m.plus_one(torch.arange(5).to(t))
                for t in (torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64, F32, F64)
            ],
            lambda: m.plus_one(torch.ones(2).half()),
            lambda: m.count(torch.tensor([0, 1, 2, 0])),
            lambda: m.count(torch.ones(3)),
            lambda: m.with_bool(torch.tensor([True, False])),
        ],
        ["plus_one", "count", "with_bool"],
    ),
    Case(
        "argument_kinds",
        r"""
#include <torch/extension.h>
std::string kinds(int a, int64_t b, double c, float d, bool e, const std::string& f,
                  std::vector<int64_t> g, std::vector<double> h) {
  std::string s = std::to_string(a) + ' ' + std::to_string(b) + ' ' + std::to_string(c) + ' ' +
                  std::to_string(d) + ' ' + std::to_string(e) + ' ' + f;
  for (auto v : g) s += ' ' + std::to_string(v);
  for (auto v : h) s += ' ' + std::to_string(v);
  return s;
}
torch::Tensor gather(const std::vector<torch::Tensor>& parts, c10::optional<torch::Tensor> bias,
                     std::optional<int64_t> scale) {
  auto out = torch::zeros_like(parts[0]);
  for (const auto& p : parts) out = out + p;
  if (bias.has_value()) out = out + bias.value();
  return out * scale.value_or(1);
}
std::tuple<torch::Tensor, int64_t, bool> three(torch::Tensor x) {
  return std::make_tuple(x.clone(), x.numel(), x.is_contiguous());
}
std::pair<torch::Tensor, double> two(torch::Tensor x) { return {x, 0.5}; }
std::optional<torch::Tensor> maybe(torch::Tensor x, bool yes) {
  if (yes) return x;
  return std::nullopt;
}
torch::Tensor undefined() { return torch::Tensor(); }
uint8_t small(uint8_t v) { return v; }
unsigned int big(unsigned int v) { return v; }
""",
        lambda m, d: [
            lambda: m.kinds(1, 2, 3.5, 4.5, True, "text", [1, 2], [0.5]),
            lambda: m.kinds(1, 2, 3, 4, 0, "ü", (1, 2), [1, 2]),
            lambda: m.kinds(1.0, 2, 3, 4, 0, "f", [], []),
            lambda: m.kinds(2**31, 2, 3, 4, 0, "f", [], []),
            lambda: m.kinds(1, 2, "x", 4, 0, "f", [], []),
            lambda: m.kinds(1, 2, 3, 4, "no", "f", [], []),
            lambda: m.kinds(1, 2, 3, 4, None, "f", [], []),
            lambda: m.kinds(1, 2, 3, 4, 0, b"bytes", [], []),
            lambda: m.kinds(1, 2, 3, 4, 0, 5, [], []),
            lambda: m.kinds(1, 2, 3, 4, 0, "f", "12", []),
            lambda: m.kinds(1, 2, 3, 4, 0, "f", [1.5], []),
            lambda: m.kinds(1, 2, 3, 4, 0, "f", torch.Size([3, 4]), []),
            lambda: m.kinds(1, 2, 3, 4, 0, "f", [], torch.ones(2)),
            lambda: m.gather([torch.ones(2), torch.ones(2)], None, None),
            lambda: m.gather((torch.ones(2),), torch.arange(2.0), 3),
            lambda: m.gather([torch.ones(2), None], None, None),
            lambda: m.gather(torch.ones(2, 2), None, None),
            lambda: m.three(floats(2, 3).t()),
            lambda: m.two(floats(2)),
            lambda: m.maybe(floats(2), True),
            lambda: m.maybe(floats(2), False),
            lambda: m.undefined(),
            lambda: m.small(255),
            lambda: m.small(256),
            lambda: m.small(-1),
            lambda: m.big(2**32 - 1),
            lambda: m.big(-1),
        ],
        ["kinds", "gather", "three", "two", "maybe", "undefined", "small", "big"],
    ),
    Case(
        "no_torch_at_all",
        r"""
#include <cmath>
extern "C" double hypotenuse(double a, double b) { return std::sqrt(a * a + b * b); }
void saxpy(int64_t x, int64_t y, int64_t n, float a) {
  const float* in = reinterpret_cast<const float*>(x);
  float* out = reinterpret_cast<float*>(y);
  for (int64_t i = 0; i < n; i++) out[i] += a * in[i];
}
""",
        lambda m, d: [
            lambda: m.hypotenuse(3, 4.5),
            lambda: (lambda x, y: (m.saxpy(x.data_ptr(), y.data_ptr(), 8, 1.5), y))(
                torch.arange(8.0), torch.ones(8)
            ),
        ],
        ["hypotenuse", "saxpy"],
    ),
    Case(
        "std_transitively",
        r"""
#include <torch/extension.h>
using namespace std;
static map<string, int> table;
static mutex guard;
vector<int64_t> sorted(torch::Tensor x) {
  lock_guard<mutex> lock(guard);
  vector<int64_t> v(x.data_ptr<int64_t>(), x.data_ptr<int64_t>() + x.numel());
  sort(v.begin(), v.end());
  v.push_back(accumulate(v.begin(), v.end(), int64_t{0}));
  v.push_back(numeric_limits<int>::max());
  table["n"] += 1;
  unordered_map<int, shared_ptr<int>> owned;
  owned[1] = make_shared<int>(4);
  v.push_back(*owned[1]);
  ostringstream text;
  text << setprecision(3) << M_PI;
  v.push_back(text.str().size());
  function<int(int)> f = [](int i) { return i + 1; };
  v.push_back(f(1));
  return v;
}
""",
        lambda m, d: [lambda: m.sorted(torch.tensor([3, 1, 2]))],
        ["sorted"],
    ),
    Case(
        "reduction_rows",
        r"""
#include <torch/extension.h>
#include <algorithm>
#include <cmath>
#include <vector>
torch::Tensor layer_norm(torch::Tensor x, torch::Tensor gamma, torch::Tensor beta, double eps) {
  TORCH_CHECK(x.device().is_cpu(), "x must be on the CPU");
  x = x.contiguous();
  const auto rows = x.size(0), cols = x.size(1);
  auto y = torch::empty({rows, cols}, x.options());
  auto px = x.data_ptr<float>(), pg = gamma.data_ptr<float>(), pb = beta.data_ptr<float>();
  auto py = y.mutable_data_ptr<float>();
  for (int64_t r = 0; r < rows; ++r) {
    double mean = 0, var = 0;
    for (int64_t c = 0; c < cols; ++c) mean += px[r * cols + c];
    mean /= cols;
    for (int64_t c = 0; c < cols; ++c) var += std::pow(px[r * cols + c] - mean, 2);
    const double scale = 1.0 / std::sqrt(var / cols + eps);
    for (int64_t c = 0; c < cols; ++c)
      py[r * cols + c] = static_cast<float>((px[r * cols + c] - mean) * scale) * pg[c] + pb[c];
  }
  return y;
}
""",
        lambda m, d: [
            lambda: m.layer_norm(
                torch.arange(12.0).view(3, 4), torch.ones(4), torch.zeros(4), 1e-5
            ),
            lambda: m.layer_norm(
                torch.arange(12.0).view(4, 3).t(), torch.ones(4), torch.ones(4), 0
            ),
        ],
        ["layer_norm"],
        cflags=["-O3", "-march=native"],
    ),
    Case(
        "openmp",
        r"""
#include <torch/extension.h>
#include <omp.h>
torch::Tensor square(torch::Tensor x) {
  auto y = torch::empty_like(x);
  auto* in = x.const_data_ptr<float>();
  auto* out = y.mutable_data_ptr<float>();
  const int64_t n = x.numel();
#pragma omp parallel for
  for (int64_t i = 0; i < n; i++) out[i] = in[i] * in[i];
  return y;
}
""",
        lambda m, d: [lambda: m.square(floats(1000))],
        ["square"],
        cflags=["-O3", "-fopenmp"],
    ),
    Case(
        "templates_and_tensor_members",
        r"""
#include <torch/extension.h>
namespace {
struct Params {
  torch::Tensor weight;
  int64_t rows = 0;
};
template <typename scalar_t>
scalar_t dot(const torch::Tensor& a, const torch::Tensor& b) {
  scalar_t total = 0;
  auto pa = a.data_ptr<scalar_t>();
  auto pb = b.data_ptr<scalar_t>();
  for (int64_t i = 0; i < a.numel(); i++) total += pa[i] * pb[i];
  return total;
}
}  // namespace
double apply(torch::Tensor x, torch::Tensor w) {
  Params p{w, x.size(0)};
  Params q = p;
  std::vector<Params> all{p, q, Params{}};
  std::swap(all[0], all[2]);
  torch::Tensor moved = std::move(all[1].weight);
  TORCH_CHECK(!all[1].weight.defined() && !all[0].weight.defined() && moved.is_same(w), "moves");
  torch::IntArrayRef shape = x.sizes();
  const int64_t sizes[] = {x.size(0)};
  at::IntArrayRef same(sizes);
  TORCH_CHECK(shape.equals(same) && shape == same, "shapes ", shape, " ", same);
  return dot<float>(x, all[2].weight);
}
""",
        lambda m, d: [
            lambda: m.apply(torch.arange(4.0), torch.ones(4)),
            lambda: m.apply(torch.arange(4.0), torch.ones(4, dtype=F64)),
        ],
        ["apply"],
    ),
    Case(
        "pybind_module",
        r"""
#include <torch/extension.h>
torch::Tensor scale(torch::Tensor x, double by, bool negate) {
  TORCH_CHECK(by != 0, "by is zero");
  if (by < 0) throw std::invalid_argument("negative");
  return negate ? -x * by : x * by;
}
PYBIND11_MODULE(TORCH_EXTENSION_NAME, m) {
  m.def("scale", &scale, "Scale a tensor", py::arg("x"), py::arg("by") = 2.0,
        py::arg("negate") = false);
  m.def("plain", scale);
  m.def("twice", [](const torch::Tensor& x) { return x + x; }, "lambda");
  m.def("answer", []() { return 42; });
}
""",
        lambda m, d: [
            lambda: m.scale(torch.ones(2)),
            lambda: m.scale(torch.ones(2), 3),
            lambda: m.scale(torch.ones(2), negate=True),
            lambda: m.scale(by=4.0, x=torch.ones(2)),
            lambda: m.scale(torch.ones(2), 0.0),
            lambda: m.scale(torch.ones(2), -1.0),
            lambda: m.scale(torch.ones(2), bias=1),
            lambda: m.scale(torch.ones(2), 1, x=2),
            lambda: m.scale(),
            lambda: m.plain(torch.ones(2), 2.0, False),
            lambda: m.plain(torch.ones(2), by=2.0),
            lambda: m.twice(torch.ones(2)),
            lambda: m.answer(),
            lambda: m.answer(1),
        ],
    ),
    Case(
        "parallel_for",
        r"""
#include <torch/extension.h>
#include <ATen/Parallel.h>
torch::Tensor relu(torch::Tensor x) {
  auto y = torch::empty_like(x);
  at::parallel_for(0, x.numel(), 1, [&](int64_t a, int64_t b) {
    for (int64_t i = a; i < b; i++)
      y.data_ptr<float>()[i] = std::max(x.data_ptr<float>()[i], 0.f);
  });
  return y;
}
""",
        lambda m, d: [lambda: m.relu(floats(100)), lambda: m.relu(floats(0))],
        ["relu"],
    ),
    Case(
        "clamps",
        r"""
#include <torch/extension.h>
std::vector<torch::Tensor> clamps(torch::Tensor x) {
  return {torch::clamp(x, -1, 1.5), x.clamp(0.25f), torch::clamp(x, c10::nullopt, 2),
          x.clamp_min(0.5), torch::clamp_max(x, 1), at::clamp(x, torch::Scalar(0), 3)};
}
""",
        lambda m, d: [
            lambda: m.clamps(floats(50)),
            lambda: m.clamps(torch.arange(-3, 4)),
            lambda: m.clamps(torch.zeros(3, dtype=torch.bool)),
        ],
        ["clamps"],
    ),
    Case(
        "falls_back_special_function",
        r"""
#include <torch/extension.h>
double bessel(double x) { return std::cyl_bessel_j(0, x); }
""",
        lambda m, d: [lambda: m.bessel(1.5)],
        ["bessel"],
        route="full",
    ),
    Case(
        "name_shared_with_aten",
        r"""
#include <torch/extension.h>
template <class T>
T square(T x) {
  return x + x;
}
// Real tensors find at::square here, which is no template and therefore the better match.
torch::Tensor squared(torch::Tensor x) { return square(x); }
""",
        lambda m, d: [lambda: m.squared(torch.tensor([3.0]))],
        ["squared"],
    ),
]
