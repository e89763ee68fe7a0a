"""C++ sources that call ATen: functions, methods, operators and their overloads."""

from __future__ import annotations

import torch

from corpus.case import Case, floats

CASES = [
    Case(
        "reductions",
        r"""
#include <torch/extension.h>
std::vector<torch::Tensor> reduce(torch::Tensor x) {
  auto [values, indices] = x.max(1);
  auto lowest = torch::min(x, 0, true);
  return {values, indices, std::get<0>(lowest), std::get<1>(lowest), x.sum({1, 0}),
          torch::sum(x, {1}, true), at::sum(x, 0), torch::mean(x, {0}, true), x.mean(1),
          x.sum(torch::kFloat64), torch::sum(x, {0}, false, torch::kDouble), x.argmax(1),
          x.argmax(), torch::max(x, x.neg()), x.var(1), x.var(1, false), torch::var(x, 1, false),
          torch::std(x, 0), x.std(), x.prod(0), x.cumsum(1), x.norm(), x.norm(2, 1), x.any(),
          x.logsumexp(1), torch::log_softmax(x, -1),
          x.median(), std::get<0>(x.topk(2, 1)), std::get<1>(x.sort(1))};
}
""",
        lambda m, d: [
            lambda: m.reduce(torch.arange(12.0).view(3, 4) / 7),
            lambda: m.reduce(floats(4, 5, dtype=torch.float64)),
            lambda: m.reduce(torch.arange(4)),
        ],
        ["reduce"],
    ),
    Case(
        "joins_and_views",
        r"""
#include <torch/extension.h>
std::vector<torch::Tensor> join(torch::Tensor x, torch::Tensor y) {
  auto parts = x.chunk(2, 0);
  auto same = torch::split(x, 1);
  std::vector<torch::Tensor> list{x, y};
  torch::TensorList view(list);
  return {torch::cat({x, y}), torch::cat({x, y}, 1), at::cat(list, -1), torch::stack({x, y}),
          torch::stack(list, 1), torch::stack(view), torch::cat(view), parts[0], parts[1],
          same.back(), x.view_as(y), x.expand_as(y), x.repeat({2, 1}), x.slice(0, 1), x.t(),
          x.slice(1, 0, 4, 2), x.index_select(1, torch::arange(2)), x.tril(), torch::flip(x, {0}),
          x.reshape_as(y), x.unsqueeze(0).squeeze(0), x.roll(1, 0), x.masked_fill(x > 0, 2.0),
          x.gather(1, torch::zeros({2, 1}, torch::kLong)), torch::unbind(x)[1], x.view({4, -1}),
          x.view(torch::kInt), torch::nan_to_num(x, 0.5), x.transpose(0, 1).contiguous()};
}
""",
        lambda m, d: [
            lambda: m.join(floats(2, 4), torch.ones(2, 4)),
            lambda: m.join(floats(2, 4), torch.ones(3, 4)),
        ],
        ["join"],
    ),
    Case(
        "comparisons_and_where",
        r"""
#include <torch/extension.h>
std::vector<torch::Tensor> compare(torch::Tensor x, torch::Tensor y) {
  return {x > y, x < 0.5, 1 >= x, x == y, x != 0, x <= y, 0.25 > x, x.gt(0), x.lt(y), x.eq(1),
          torch::ge(x, 0), torch::where(x > 0, x, y), torch::where(x > 0, x, 0.5),
          torch::where(x > 0, 1.0, y), at::where(x > y, 2, 3), x.where(x > 0, y),
          (x > 0) & (y > 0), (x > 0) | (y > 0), (x > 0) ^ true, ~(x > 0), x % 2, 3 - x, 2 / y,
          torch::logical_and(x > 0, y > 0), x.isnan(), torch::isinf(x), torch::maximum(x, y),
          torch::minimum(x, y), x.sign(), x.clamp(0), x.clamp(c10::nullopt, 1), x.fmod(2)};
}
torch::Tensor change(torch::Tensor x) {
  x += 1; x -= 0.5; x *= 2; x /= 4; x -= x.mean(); x /= x.abs().max();
  x.relu_().add_(1).mul_(2).sub_(x, 0.5).div_(3).clamp_(-1, 1).copy_(x.exp()).neg_();
  torch::relu_(x);
  auto y = torch::stack({x, x});
  y[0] = x * 2;
  y[1] = 0.5;
  const auto z = x + 3;
  y.select(0, 1) = z;
  x = y;
  return x;
}
bool same(torch::Tensor x, torch::Tensor y) {
  return torch::equal(x, y) || torch::allclose(x, y, 1e-3) || x.is_same_size(y.t());
}
""",
        lambda m, d: [
            lambda: m.compare(floats(3, 4), torch.arange(12.0).view(3, 4)),
            lambda: m.compare(torch.arange(4), torch.arange(4) - 1),
            lambda: m.change(torch.arange(6.0)),
            lambda: m.same(torch.ones(2, 3), torch.ones(2, 3)),
            lambda: m.same(torch.ones(2, 3), torch.ones(2, 3) * 1.0001),
            lambda: m.same(torch.ones(2, 3), torch.zeros(3, 2)),
        ],
        ["compare", "change", "same"],
    ),
    Case(
        "layers",
        r"""
#include <torch/extension.h>
std::vector<torch::Tensor> layers(torch::Tensor x, torch::Tensor w) {
  auto pooled = torch::max_pool2d_with_indices(x, 2);
  auto volume = x.unsqueeze(2);
  auto weight = w.unsqueeze(2);
  return {torch::conv2d(x, w, {}, 1, 1), torch::conv2d(x, w, {}, 1, "same"),
          torch::conv_transpose2d(x, w.transpose(0, 1), {}, 2), torch::max_pool2d(x, 2),
          torch::max_pool2d(x, {2, 2}, {1, 1}), torch::avg_pool2d(x, 2),
          torch::adaptive_avg_pool2d(x, {1, 1}), std::get<0>(pooled), std::get<1>(pooled),
          torch::conv3d(volume, weight), torch::max_pool3d(volume, {1, 2, 2}),
          torch::conv1d(x.select(2, 0), w.select(2, 0)), torch::gelu(x), at::gelu(x, "tanh"),
          torch::layer_norm(x, {x.size(-1)}), torch::silu(x), torch::leaky_relu(x, 0.1),
          torch::elu(x), torch::hardtanh(x, -0.5, 0.5), torch::softplus(x), at::mish(x),
          torch::mse_loss(x, x + 1), torch::mse_loss(x, x + 1, at::Reduction::Sum),
          torch::group_norm(x, 2), torch::batch_norm(x, {}, {}, {}, {}, true, 0.1, 1e-5, false),
          torch::dropout(x, 0.5, false), torch::constant_pad_nd(x, {1, 1}, 0.5),
          torch::upsample_nearest2d(x, {8, 8}), torch::einsum("nchw->n", {x})};
}
std::vector<torch::Tensor> products(torch::Tensor a, torch::Tensor b) {
  auto out = torch::empty({a.size(0), b.size(1)}, a.options());
  torch::matmul_out(out, a, b);
  auto other = torch::empty_like(out);
  at::mm_out(other, a, b);
  return {out, other, torch::addmm(out, a, b, 0.5, 2), torch::bmm(a.unsqueeze(0), b.unsqueeze(0)),
          torch::baddbmm(out.unsqueeze(0), a.unsqueeze(0), b.unsqueeze(0)),
          torch::outer(a[0], b[0]),
          torch::mv(a, b.select(1, 0)), torch::dot(a[0], b.select(1, 0)), a.matmul(b).t()};
}
""",
        lambda m, d: [
            lambda: m.layers(torch.linspace(-1, 1, 64).view(1, 4, 4, 4), torch.ones(2, 4, 3, 3)),
            lambda: m.products(torch.arange(6.0).view(2, 3), torch.arange(12.0).view(3, 4)),
            lambda: m.products(torch.ones(2, 3), torch.ones(2, 3)),
        ],
        ["layers", "products"],
    ),
    Case(
        "made_of_nothing",
        r"""
#include <torch/extension.h>
std::vector<torch::Tensor> made(torch::Tensor x) {
  std::vector<int64_t> shape = x.sizes().vec();
  std::vector<float> values{1.5f, 2.5f};
  static float blob[6] = {0, 1, 2, 3, 4, 5};
  return {torch::arange(5), torch::arange(1, 4, torch::kFloat32), torch::arange(0, 1, 0.25),
          torch::linspace(0, 1, 5), torch::eye(3), torch::eye(2, 3, x.options()),
          torch::tensor({1, 2, 3}), torch::tensor({1.5, 2.0}, torch::kFloat16), torch::tensor(7),
          torch::tensor(2.5), torch::tensor(true), torch::tensor(values), torch::zeros(shape),
          torch::tensor({1.0, 2.0}, torch::requires_grad()), torch::from_blob(blob, {2, 3}),
          torch::from_blob(blob, {3}, {2}), torch::from_blob(blob, {6}, torch::kFloat).clone(),
          torch::full({2}, x.size(0)), torch::scalar_tensor(3), torch::empty({0}).new_zeros({2}),
          x.new_full({2}, 1.5), x.new_empty({0}), torch::linspace(0, 1, 3, torch::requires_grad())};
}
double scalars(torch::Tensor x) {
  at::Scalar s = x.sum().item();
  torch::Scalar t(3);
  return s.toDouble() + s.toFloat() + s.to<double>() + t.toInt() + t.to<int64_t>() + s.toLong();
}
""",
        lambda m, d: [
            lambda: m.made(torch.ones(2, 3)),
            lambda: m.made(torch.ones(3, dtype=torch.float64)),
            lambda: m.scalars(torch.tensor([1.5, 2.25])),
            lambda: m.scalars(torch.tensor([3, 4])),
            lambda: m.scalars(torch.tensor([1e300])),
        ],
        ["made", "scalars"],
    ),
    Case(
        "unqualified_calls",
        r"""
#include <torch/extension.h>
at::Tensor found_beside_the_tensor(const torch::Tensor& x) { return sigmoid(x) + zeros_like(x); }
std::vector<at::Tensor> in_namespace(at::Tensor x) {
  using namespace torch;
  return {relu(x), softmax(x, 0), at::ones({2})};
}
""",
        lambda m, d: [
            lambda: m.found_beside_the_tensor(floats(9)),
            lambda: m.in_namespace(torch.arange(3.0)),
        ],
        ["found_beside_the_tensor", "in_namespace"],
    ),
    Case(
        "memory_formats",
        r"""
#include <torch/extension.h>
std::vector<int64_t> formats(torch::Tensor x) {
  return {x.is_contiguous(), x.is_contiguous(torch::MemoryFormat::Contiguous),
          x.is_contiguous(at::MemoryFormat::ChannelsLast),
          x.is_contiguous(at::MemoryFormat::ChannelsLast3d)};
}
torch::Tensor relaid(torch::Tensor x) { return x.contiguous(at::MemoryFormat::ChannelsLast); }
""",
        lambda m, d: [
            lambda: m.formats(torch.ones(2, 3, 4, 5)),
            lambda: m.formats(torch.ones(2, 3, 4, 5).to(memory_format=torch.channels_last)),
            lambda: m.formats(torch.ones(2, 1, 4, 1)),
            lambda: m.formats(torch.ones(1, 3, 2, 4, 5).to(memory_format=torch.channels_last_3d)),
            lambda: m.formats(torch.ones(2, 3).t()),
            lambda: m.formats(torch.ones(0, 3, 2, 2)),
            lambda: m.relaid(torch.ones(2, 3, 4, 5)),
            lambda: m.relaid(torch.ones(2, 3)),
        ],
        ["formats", "relaid"],
    ),
    Case(
        "slice_and_select",
        r"""
#include <torch/extension.h>
torch::Tensor corner(torch::Tensor x) { return x.index({torch::indexing::Slice(), 0}); }
""",
        lambda m, d: [lambda: m.corner(torch.ones(2, 2))],
        ["corner"],
    ),
]
