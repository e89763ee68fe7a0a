// What libtorch exports and the lean headers call; nothing here is defined by us.
//
// Two kinds of names. The `aoti_torch_*` and `torch_*` functions are libtorch's stable C interface.
// The mangled ones are the very functions that torch's own inline wrappers call (`at::matmul(a, b)`
// is `at::_ops::matmul::call(a, b)`), so a lean call costs the same and throws the same error.
// A name that a torch version lacks is found before the module is used, and the build falls back.
#pragma once
#include <cstddef>
#include <cstdint>
#include <initializer_list>

#include <lean/std.h>

#define LEAN_SYMBOL(mangled) __asm__(mangled)

namespace lean {

// Of <type_traits>, what is needed here.
template <bool>
struct OnlyIf {};
template <>
struct OnlyIf<true> {
  using type = void;
};
template <class A, class B>
struct SameType {
  static constexpr bool value = false;
};
template <class A>
struct SameType<A, A> {
  static constexpr bool value = true;
};

template <class T>
struct Unqualified {
  using type = T;
};
template <class T>
struct Unqualified<const T> {
  using type = T;
};

// A parameter's type without reference and const.
template <class T>
struct Plain {
  using type = T;
};
template <class T>
struct Plain<const T> : Plain<T> {};
template <class T>
struct Plain<T&> : Plain<T> {};
template <class T>
struct Plain<T&&> : Plain<T> {};

template <size_t... I>
struct Indices {};
template <size_t N, size_t... I>
struct IndicesUpTo : IndicesUpTo<N - 1, N - 1, I...> {};
template <size_t... I>
struct IndicesUpTo<0, I...> {
  using type = Indices<I...>;
};

// A heap-allocated at::Tensor that libtorch allocates, reads and frees; we only hold the pointer.
struct AtTensor;
using Handle = AtTensor*;

// An at::Tensor that libtorch returns by value. It is never copied or destroyed on our side: it is
// constructed right inside a handle's memory, so nothing here depends on what is in it.
struct Returned {
  Returned(const Returned&) = delete;
  ~Returned();
  void* impl;
};

// Several of them, as a std::tuple has them: the last one first.
template <size_t N>
struct ReturnedTuple {
  ReturnedTuple(const ReturnedTuple&) = delete;
  ~ReturnedTuple();
  void* impls[N];
};
// A std::vector of them.
struct ReturnedVector {
  ReturnedVector(const ReturnedVector&) = delete;
  ~ReturnedVector();
  void **begin, **end, **capacity;
};

// Laid out and passed as std::optional<T> of a small trivially copyable T.
template <class T>
struct Maybe {
  struct Nothing {};
  union {
    Nothing none;
    T value;
  };
  bool present;
  constexpr Maybe() : none(), present(false) {}
  constexpr Maybe(T v) : value(v), present(true) {}
#ifdef LEAN_OPTIONAL
  constexpr Maybe(std::nullopt_t) : Maybe() {}
  constexpr Maybe(const std::optional<T>& o) : Maybe() {
    if (o) *this = Maybe(*o);
  }
#endif
};

}  // namespace lean

extern "C" {
int32_t aoti_torch_new_uninitialized_tensor(lean::Handle*);
int32_t aoti_torch_new_tensor_handle(lean::Handle, lean::Handle*);
int32_t aoti_torch_delete_tensor_object(lean::Handle);
int32_t aoti_torch_assign_tensors(lean::Handle from, lean::Handle to);
int32_t aoti_torch_is_defined(lean::Handle, bool*);
int32_t aoti_torch_get_data_ptr(lean::Handle, void**);
int32_t aoti_torch_get_dim(lean::Handle, int64_t*);
int32_t aoti_torch_get_numel(lean::Handle, int64_t*);
int32_t aoti_torch_get_sizes(lean::Handle, int64_t**);
int32_t aoti_torch_get_strides(lean::Handle, int64_t**);
int32_t aoti_torch_get_dtype(lean::Handle, int32_t*);
int32_t aoti_torch_get_layout(lean::Handle, int32_t*);
int32_t aoti_torch_get_device_type(lean::Handle, int32_t*);
int32_t aoti_torch_get_device_index(lean::Handle, int32_t*);
int32_t aoti_torch_get_storage_offset(lean::Handle, int64_t*);
int32_t aoti_torch_is_contiguous(lean::Handle, bool*);
int64_t aoti_torch_dtype_element_size(int32_t);
int32_t torch_get_const_data_ptr(lean::Handle, const void**);
void aoti_torch_warn(const char* function, const char* file, uint32_t line, const char* message);
int32_t torch_set_requires_grad(lean::Handle, bool);
}

namespace lean {

[[noreturn]] void torch_check_fail(const char* function, const char* file, uint32_t line,
                                   const char* message)
    LEAN_SYMBOL("_ZN3c106detail14torchCheckFailEPKcS2_jS2_");
[[noreturn]] void torch_internal_assert_fail(const char* function, const char* file, uint32_t line,
                                             const char* condition, const char* message)
    LEAN_SYMBOL("_ZN3c106detail23torchInternalAssertFailEPKcS2_jS2_S2_");
// Throws c10::IndexError unless `dim` is in [-ndim, ndim).
int64_t wrap_dim_slow(int64_t dim, int64_t ndim, bool wrap_scalar)
    LEAN_SYMBOL("_ZN3c106detail19maybe_wrap_dim_slowIlEET_S2_S2_b");

}  // namespace lean
