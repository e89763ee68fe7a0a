// TORCH_LIBRARY and relatives, over libtorch's C interface for libraries.
//
// A kernel's arguments arrive in 64 bits each: a number as it is, a tensor as a handle of the
// kernel's own, an optional by address, a list as an object of libtorch's. An error that torch's
// macros raise by kind (TORCH_CHECK_VALUE) leaves a kernel as the plain one, with its message.
#pragma once
#include <lean/aten.h>

#include <cstring>

extern "C" {
struct TorchLibraryOpaque;
int32_t aoti_torch_library_init_def(const char* ns, const char* file, uint32_t line,
                                    TorchLibraryOpaque**);
int32_t aoti_torch_library_init_fragment(const char* ns, const char* file, uint32_t line,
                                         TorchLibraryOpaque**);
int32_t aoti_torch_library_init_impl(const char* ns, const char* key, const char* file,
                                     uint32_t line, TorchLibraryOpaque**);
int32_t aoti_torch_library_def(TorchLibraryOpaque*, const char* schema);
int32_t aoti_torch_library_impl(TorchLibraryOpaque*, const char* name,
                                void (*kernel)(uint64_t* stack, uint64_t, uint64_t));
int32_t torch_new_list_reserve_size(size_t, void** list);
int32_t torch_list_size(void* list, size_t*);
int32_t torch_list_get_item(void* list, size_t index, uint64_t*);
int32_t torch_list_push_back(void* list, uint64_t);
int32_t torch_delete_list(void* list);
}

namespace lean {

// Slot<T>: a value of T from the stack and onto it, and T's name in a schema.
template <class T>
struct LibrarySlot;  // a type that no schema knows, or that is left to the real headers
template <class T>
struct NumberSlot {
  static T take(uint64_t bits) {
    T value;
    std::memcpy(&value, &bits, sizeof value);
    return value;
  }
  static uint64_t give(T value) {
    uint64_t bits = 0;
    std::memcpy(&bits, &value, sizeof value);
    return bits;
  }
};
template <>
struct LibrarySlot<int64_t> : NumberSlot<int64_t> {
  static void name(Message& m) { m.add("int"); }
};
template <>
struct LibrarySlot<double> : NumberSlot<double> {
  static void name(Message& m) { m.add("float"); }
};
template <>
struct LibrarySlot<bool> : NumberSlot<bool> {
  static void name(Message& m) { m.add("bool"); }
};
template <>
struct LibrarySlot<Tensor> {
  static void name(Message& m) { m.add("Tensor"); }
  static Tensor take(uint64_t bits) { return Tensor::owning(reinterpret_cast<Handle>(bits)); }
  static uint64_t give(const Tensor& t) {
    Handle handle = nullptr;
    aoti_torch_new_tensor_handle(t.handle(), &handle);
    return reinterpret_cast<uint64_t>(handle);
  }
};
#ifdef LEAN_OPTIONAL
template <class T>
struct LibrarySlot<std::optional<T>> {
  static void name(Message& m) {
    LibrarySlot<T>::name(m);
    m.add('?');
  }
  static std::optional<T> take(uint64_t bits) {
    if (!bits) return std::nullopt;
    auto* value = reinterpret_cast<uint64_t*>(bits);
    std::optional<T> result(LibrarySlot<T>::take(*value));
    delete value;
    return result;
  }
  static uint64_t give(const std::optional<T>& v) {
    return v ? reinterpret_cast<uint64_t>(new uint64_t(LibrarySlot<T>::give(*v))) : 0;
  }
};
#endif
#ifdef LEAN_VECTOR
template <class T>
struct LibrarySlot<std::vector<T>> {
  static void name(Message& m) {
    LibrarySlot<T>::name(m);
    m.add("[]");
  }
  static std::vector<T> take(uint64_t bits) {
    void* list = reinterpret_cast<void*>(bits);
    size_t size = 0;
    torch_list_size(list, &size);
    std::vector<T> result;
    for (size_t i = 0; i < size; i++) {
      uint64_t item = 0;
      torch_list_get_item(list, i, &item);
      result.push_back(LibrarySlot<T>::take(item));
    }
    torch_delete_list(list);
    return result;
  }
  static uint64_t give(const std::vector<T>& values) {
    void* list = nullptr;
    torch_new_list_reserve_size(values.size(), &list);
    for (const T& value : values) torch_list_push_back(list, LibrarySlot<T>::give(value));
    return reinterpret_cast<uint64_t>(list);
  }
};
template <class T>
struct LibrarySlot<ArrayRef<T>> : LibrarySlot<std::vector<T>> {};
#endif

// What a kernel returns, on the stack and in a schema.
template <class R>
struct LibraryResult {
  static void give(uint64_t* stack, R&& value) { stack[0] = LibrarySlot<R>::give(value); }
  static void name(Message& m) {
    LibrarySlot<R>::name(m);
    m.add(" _0");
  }
};
template <>
struct LibraryResult<void> {
  static void name(Message&) {}
};
#ifdef LEAN_TUPLE
template <class... T>
struct LibraryResult<std::tuple<T...>> {
  static void give(uint64_t* stack, std::tuple<T...>&& values) {
    std::apply([&](T&... v) { ((*stack++ = LibrarySlot<T>::give(v)), ...); }, values);
  }
  static void name(Message& m) {
    int i = 0;
    ((i ? m.add(", ") : void(), LibrarySlot<T>::name(m), m.parts(" _", i++)), ...);
  }
};
#endif

// One argument of a call, which may be of another type than what keeps it: a list's view, a list.
template <size_t I, class T>
struct LibraryArgument {
  using Kept = decltype(LibrarySlot<T>::take(0));
  explicit LibraryArgument(uint64_t bits) : value(LibrarySlot<T>::take(bits)) {}
  template <class P>
  decltype(auto) as() {
    if constexpr (SameType<Kept, T>::value)
      return static_cast<P&&>(value);
    else
      return T(value);
  }
  Kept value;
};
template <class Ix, class... A>
struct LibraryArguments;
template <size_t... I, class... A>
struct LibraryArguments<Indices<I...>, A...> : LibraryArgument<I, typename Plain<A>::type>... {
  explicit LibraryArguments(const uint64_t* stack)
      : LibraryArgument<I, typename Plain<A>::type>(stack[I])... {
    (void)stack;
  }
  template <class F>
  decltype(auto) call(F f) {
    return f(
        static_cast<LibraryArgument<I, typename Plain<A>::type>*>(this)->template as<A>()...);
  }
};

// Calls a function with what is on the stack. libtorch takes a plain function and hands it nothing
// but the stack, so each function of one signature has one of so many that know theirs: as many as
// the source has registrations, and in a namespace of the source's own, for others have other
// numbers.
#ifndef LEAN_REGISTRATIONS
#define LEAN_REGISTRATIONS 1  // a source without a TORCH_LIBRARY
#endif
namespace {
struct OfThisSource {};
template <class R, class... A>
struct LibraryKernel {
  using F = R (*)(A...);
  using Boxed = void (*)(uint64_t*, uint64_t, uint64_t);
  static constexpr size_t kMost = LEAN_REGISTRATIONS;

  static void signature(Message& m) {
    m.add('(');
    int i = 0;
    (((i ? m.add(", ") : void()), LibrarySlot<typename Plain<A>::type>::name(m),
      (void)m.parts(" _", i++)),
     ...);
    m.add(") -> (");
    LibraryResult<typename Plain<R>::type>::name(m);
    m.add(')');
  }
  static Boxed box(F f) {
    TORCH_CHECK(used() < kMost, "more than ", kMost, " functions of one signature in one source");
    functions()[used()] = f;
    return boxed(used()++, typename IndicesUpTo<kMost>::type());
  }

 private:
  static F* functions() {
    static F all[kMost];
    return all;
  }
  static size_t& used() {
    static size_t count = 0;
    return count;
  }
  template <size_t... I>
  static Boxed boxed(size_t i, Indices<I...>) {
    static const Boxed all[] = {&run<I>...};
    return all[i];
  }
  template <size_t I>
  static void run(uint64_t* stack, uint64_t, uint64_t) {
    call(functions()[I], stack);
  }
  static void call(F f, uint64_t* stack) {
    LibraryArguments<typename IndicesUpTo<sizeof...(A)>::type, A...> arguments(stack);
    try {
      if constexpr (SameType<R, void>::value)
        arguments.call(f);
      else
        LibraryResult<typename Plain<R>::type>::give(stack,
                                                    typename Plain<R>::type(arguments.call(f)));
    } catch (const KindError& e) {
      torch_check_fail("call", __FILE__, __LINE__, e.what());
    }
  }
};
template <class R, class... A>
LibraryKernel<R, A...> library_kernel(R (*)(A...));
// A lambda without captures is a function, too.
template <class F, class R, class... A>
LibraryKernel<R, A...> library_kernel_of(R (F::*)(A...) const);
template <class F, class = decltype(&F::operator())>
decltype(library_kernel_of(&F::operator())) library_kernel(F);
}  // namespace

class Library {
 public:
  Library(TorchLibraryOpaque* library, int32_t failed) : library_(library) { need(failed); }
  Library(const Library&) = delete;
  Library& operator=(const Library&) = delete;

  Library& def(const char* schema) {
    need(aoti_torch_library_def(library_, schema));
    return *this;
  }
  // For a name alone, the schema is the function's own signature.
  template <class F, class = OfThisSource>
  Library& def(const char* schema, F f) {
    Message whole, name;
    whole.add(schema);
    if (!std::strchr(schema, '(')) decltype(library_kernel(f))::signature(whole);
    def(whole.c_str());
    for (const char* c = schema; *c && *c != '('; c++) name.add(*c);
    return impl(name.c_str(), f);
  }
  template <class F, class = OfThisSource>
  Library& impl(const char* name, F f) {
    need(aoti_torch_library_impl(library_, name, decltype(library_kernel(f))::box(f)));
    return *this;
  }

 private:
  static void need(int32_t failed) {
    TORCH_CHECK(!failed, "a TORCH_LIBRARY could not be registered");
  }
  TorchLibraryOpaque* library_;
};
// The library lasts as long as the process, as a loaded extension does.
struct LibraryInit {
  LibraryInit(void (*fill)(Library&), TorchLibraryOpaque* library, int32_t failed) {
    Library all(library, failed);
    fill(all);
  }
};

}  // namespace lean

namespace torch {
using lean::Library;
}

#define LEAN_LIBRARY_JOIN_(a, b) a##b
#define LEAN_LIBRARY_JOIN(a, b) LEAN_LIBRARY_JOIN_(a, b)
#define LEAN_LIBRARY_TEXT_(a) #a
#define LEAN_LIBRARY_TEXT(a) LEAN_LIBRARY_TEXT_(a)
#define LEAN_LIBRARY_OF(id, m, init, ...)                                              \
  static void LEAN_LIBRARY_JOIN(lean_library_, id)(::torch::Library&);                 \
  static const ::lean::LibraryInit LEAN_LIBRARY_JOIN(lean_library_init_, id) = [] {    \
    TorchLibraryOpaque* library = nullptr;                                             \
    const int32_t failed = init(__VA_ARGS__, __FILE__, __LINE__, &library);            \
    return ::lean::LibraryInit(LEAN_LIBRARY_JOIN(lean_library_, id), library, failed); \
  }();                                                                                 \
  static void LEAN_LIBRARY_JOIN(lean_library_, id)(::torch::Library & m)
#define TORCH_LIBRARY(ns, m) \
  LEAN_LIBRARY_OF(__COUNTER__, m, aoti_torch_library_init_def, LEAN_LIBRARY_TEXT(ns))
#define TORCH_LIBRARY_FRAGMENT(ns, m) \
  LEAN_LIBRARY_OF(__COUNTER__, m, aoti_torch_library_init_fragment, LEAN_LIBRARY_TEXT(ns))
#define TORCH_LIBRARY_IMPL(ns, key, m)                                                     \
  LEAN_LIBRARY_OF(__COUNTER__, m, aoti_torch_library_init_impl, LEAN_LIBRARY_TEXT(ns), #key)
#define TORCH_FN(function) (&function)
