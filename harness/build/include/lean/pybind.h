// PYBIND11_MODULE, m.def and their errors, over Python's own C interface.
#pragma once
#include <lean/casters.h>
#ifdef LEAN_OBJECTS
#include <lean/object_casters.h>
#endif

#include <exception>
#include <new>
#ifdef LEAN_PLAIN_ERRORS
#include <stdexcept>

namespace c10 {
// As much of torch's as a catch needs: its type is libc10's.
class Error : public std::exception {
 public:
  ~Error() override;
  const char* what() const noexcept override;
};
}  // namespace c10
#endif

namespace lean {

// What HANDLE_TH_ERRORS does with an exception: c10::IndexError becomes IndexError, and so on.
void translate_exception(const std::exception_ptr&)
    LEAN_SYMBOL("_ZN5torch29translate_exception_to_pythonERKNSt15__exception_ptr13exception_ptrE");

#ifdef LEAN_WARNINGS
// torch's, which makes Python's warnings of those of a call.
struct Warnings {
  Warnings() { begin(this); }
  Warnings(const Warnings&) = delete;
  ~Warnings() noexcept(false) { end(this); }
  static void begin(Warnings*) LEAN_SYMBOL("_ZN5torch16PyWarningHandlerC1Ev");
  static void end(Warnings*) LEAN_SYMBOL("_ZN5torch16PyWarningHandlerD1Ev");
  void *handler[4], *before;
  bool in_exception = false;
};
#endif

namespace py {

// py::arg("x") and py::arg("x") = 1.0
struct arg_v {
  const char* name;
  PyObject* value;
  bool takes_none;
};
struct arg {
  explicit constexpr arg(const char* n) : name(n) {}
  arg& none(bool on = true) {
    takes_none = on;
    return *this;
  }
  template <class T>
  arg_v operator=(const T& v) const {
    return {name, to_python(v), takes_none};
  }
  arg_v operator=(std::nullptr_t) const = delete;
  const char* name;
  bool takes_none = true;
};
// Guards that hold while the function runs, but not while its arguments are read.
template <class... G>
struct call_guard {};
template <class... Extra>
struct GuardOf {
  struct type {};
};
template <class G, class... More>
struct GuardOf<call_guard<G>, More...> {
  using type = G;
};
template <class First, class... More>
struct GuardOf<First, More...> : GuardOf<More...> {};
#ifndef LEAN_OBJECTS
// The value py::none(), as a default.
struct none {};
inline PyObject* to_python(none) { Py_RETURN_NONE; }
#endif

class gil_scoped_release {
 public:
  gil_scoped_release() : state_(PyEval_SaveThread()) {}
  gil_scoped_release(const gil_scoped_release&) = delete;
  gil_scoped_release& operator=(const gil_scoped_release&) = delete;
  ~gil_scoped_release() { PyEval_RestoreThread(state_); }

 private:
  PyThreadState* state_;
};
class gil_scoped_acquire {
 public:
  gil_scoped_acquire() : state_(PyGILState_Ensure()) {}
  gil_scoped_acquire(const gil_scoped_acquire&) = delete;
  gil_scoped_acquire& operator=(const gil_scoped_acquire&) = delete;
  ~gil_scoped_acquire() { PyGILState_Release(state_); }

 private:
  PyGILState_STATE state_;
};

template <size_t I, class T>
struct Slot {
  Caster<typename Plain<T>::type> caster;
};
template <class Ix, class... A>
struct Slots;
template <size_t... I, class... A>
struct Slots<Indices<I...>, A...> : Slot<I, A>... {
  bool load(PyObject* const* given) {
    (void)given;
    return (static_cast<Slot<I, A>*>(this)->caster.load(given[I]) && ...);
  }
  template <class R, class F>
  R call(F& f) {
    return f(static_cast<A&&>(static_cast<Slot<I, A>*>(this)->caster.value)...);
  }
};

// One name of the module: its parameters by name and default, and how to call it.
struct Function {
  const char* name = nullptr;
  char* signature = nullptr;
  char* doc = nullptr;
  size_t arity = 0;
  size_t named = 0;
  arg_v* parameters = nullptr;
  bool refuses_none = false;
  PyMethodDef method{};
  virtual PyObject* invoke(PyObject* const* given, bool* fits) = 0;
  virtual void describe_parameter(Message&, size_t) const = 0;
  virtual void describe_result(Message&) const = 0;
  virtual ~Function() = default;

  void parameter(const char* text) {
    delete[] doc;
    doc = copy(text);
  }
  template <class... G>
  void parameter(const call_guard<G...>&) {}
  void parameter(const arg& a) { parameter(arg_v{a.name, nullptr, a.takes_none}); }
  void parameter(const arg_v& a) {
    parameters[named++] = a;
    refuses_none = refuses_none || !a.takes_none;
  }
  static char* copy(const char* text) {
    return std::strcpy(new char[std::strlen(text) + 1], text);
  }

  bool none_among(PyObject* const* given) const {
    for (size_t i = 0; i < named; i++)
      if (given[i] == Py_None && !parameters[i].takes_none) return true;
    return false;
  }
  void describe() {
    Message s;
    s.parts(name, "(");
    for (size_t i = 0; i < arity; i++) {
      if (i) s.add(", ");
      if (named)
        s.parts(parameters[i].name, ": ");
      else
        s.parts("arg", i, ": ");
      describe_parameter(s, i);
      if (named && parameters[i].value) {
        PyObject* repr = PyObject_Repr(parameters[i].value);
        if (repr) s.parts(" = ", PyUnicode_AsUTF8(repr));
        Py_XDECREF(repr);
      }
    }
    s.add(") -> ");
    describe_result(s);
    signature = copy(s.c_str());
    Message d;
    d.parts(signature, "\n", doc ? "\n" : "", doc ? doc : "", doc ? "\n" : "");
    delete[] doc;
    doc = copy(d.c_str());
  }
};

template <class T>
struct IsVoid {
  static constexpr bool value = false;
};
template <>
struct IsVoid<void> {
  static constexpr bool value = true;
};

template <bool TorchErrors, class Guard, class F, class R, class... A>
struct Bound final : Function {
  F f;
  explicit Bound(F g) : f(static_cast<F&&>(g)) {
    arity = sizeof...(A);
    parameters = new arg_v[arity + 1]{};
  }
  using Ix = typename IndicesUpTo<sizeof...(A)>::type;
  PyObject* invoke(PyObject* const* given, bool* fits) override {
    Slots<Ix, A...> slots;
    *fits = true;  // what raises an error of its own is no question of types
    try {
      *fits = !(refuses_none && none_among(given)) && slots.load(given);
      if (!*fits) return nullptr;
      if constexpr (IsVoid<R>::value) {
        call(slots);
        Py_RETURN_NONE;
      } else {
        PyObject* result = to_python(call(slots));
#ifdef LEAN_OBJECTS
        if (!result && !PyErr_Occurred()) refuse_result(signature + std::strlen(name));
#endif
        return result;
      }
#ifdef LEAN_OBJECTS
    } catch (const error_already_set& e) {
      e.restore();
    } catch (const builtin_exception& e) {
      PyErr_SetString(e.type(), e.what());
#endif
    } catch (const KindError& e) {
      PyErr_SetString(type_of(e.kind()), e.what());
    } catch (...) {
      translate();
    }
    return nullptr;
  }
  void describe_parameter(Message& m, size_t wanted) const override {
    size_t i = 0;
    (void)wanted;
    (void)m;
    ((i++ == wanted ? Caster<typename Plain<A>::type>::name(m) : void()), ...);
  }
  void describe_result(Message& m) const override {
    if constexpr (IsVoid<R>::value)
      m.add("None");
    else
      result_name(m, static_cast<const typename Plain<R>::type*>(nullptr));
  }

 private:
  R call(Slots<Ix, A...>& slots) {
    [[maybe_unused]] Guard guard;
#ifdef LEAN_WARNINGS
    if constexpr (TorchErrors) {
      Warnings warnings;
      try {
        return slots.template call<R>(f);
      } catch (...) {
        warnings.in_exception = true;
        throw;
      }
    }
#endif
    return slots.template call<R>(f);
  }
  static PyObject* type_of(Kind kind) {
    switch (kind) {
      case Kind::Index: return PyExc_IndexError;
      case Kind::Value: return PyExc_ValueError;
      case Kind::Type: return PyExc_TypeError;
      default: return PyExc_NotImplementedError;
    }
  }
  // Inside a catch block.
  static void translate() {
#ifdef LEAN_PLAIN_ERRORS
    if constexpr (!TorchErrors) return translate_plain();
#endif
    translate_exception(std::current_exception());
  }
#ifdef LEAN_PLAIN_ERRORS
  // torch has told pybind11 of its own errors; for others pybind11's table applies where torch's
  // wrapper does not.
  static void translate_plain() {
    try {
      throw;
    } catch (const c10::Error&) {
      translate_exception(std::current_exception());
    } catch (const std::bad_alloc& e) {
      PyErr_SetString(PyExc_MemoryError, e.what());
    } catch (const std::out_of_range& e) {
      PyErr_SetString(PyExc_IndexError, e.what());
    } catch (const std::overflow_error& e) {
      PyErr_SetString(PyExc_OverflowError, e.what());
    } catch (const std::range_error& e) {
      PyErr_SetString(PyExc_ValueError, e.what());
    } catch (const std::logic_error& e) {
      const bool value = dynamic_cast<const std::domain_error*>(&e) ||
                         dynamic_cast<const std::invalid_argument*>(&e) ||
                         dynamic_cast<const std::length_error*>(&e);
      PyErr_SetString(value ? PyExc_ValueError : PyExc_RuntimeError, e.what());
    } catch (const std::exception& e) {
      PyErr_SetString(PyExc_RuntimeError, e.what());
    } catch (...) {
      PyErr_SetString(PyExc_RuntimeError, "Caught an unknown exception!");
    }
  }
#endif
};


// The Python callable: `self` is a capsule around a Function.
inline void add_repr(Message& m, PyObject* value) {
  PyObject* repr = PyObject_Repr(value);
  const char* text = repr ? PyUnicode_AsUTF8(repr) : nullptr;
  m.add(text ? text : "<repr raised Error>");
  Py_XDECREF(repr);
  PyErr_Clear();
}

// args: n positional ones, then those of the keywords, which may be null.
inline PyObject* refuse(const Function& f, PyObject* const* args, Py_ssize_t n,
                        PyObject* keywords) {
  Message m;
  m.parts(f.name, "(): incompatible function arguments. The following argument types are "
          "supported:\n    1. ", f.signature + std::strlen(f.name), "\n\nInvoked with: ");
  for (Py_ssize_t i = 0; i < n; i++) {
    if (i) m.add(", ");
    add_repr(m, args[i]);
  }
  for (Py_ssize_t k = 0; keywords && k < PyTuple_GET_SIZE(keywords); k++) {
    m.parts(k ? ", " : n ? "; kwargs: " : "kwargs: ",
            PyUnicode_AsUTF8(PyTuple_GET_ITEM(keywords, k)), "=");
    add_repr(m, args[n + k]);
  }
  PyErr_SetString(PyExc_TypeError, m.c_str());
  return nullptr;
}

inline PyObject* call(PyObject* self, PyObject* const* args, Py_ssize_t n, PyObject* keywords) {
  auto* f = static_cast<Function*>(PyCapsule_GetPointer(self, "lean.Function"));
  constexpr size_t kInline = 16;
  PyObject* few[kInline];
  const size_t count = static_cast<size_t>(n);
  const Py_ssize_t extra = keywords ? PyTuple_GET_SIZE(keywords) : 0;
  if (count == f->arity && !extra) {
    bool fits = false;
    PyObject* result = f->invoke(args, &fits);
    return fits ? result : refuse(*f, args, n, keywords);
  }
  if (!f->named || count + static_cast<size_t>(extra) > f->arity)
    return refuse(*f, args, n, keywords);
  PyObject** given = f->arity <= kInline ? few : new PyObject*[f->arity];
  Py_ssize_t used = 0;
  bool fits = true;
  for (size_t i = 0; i < f->arity; i++) {
    given[i] = i < count ? args[i] : nullptr;
    for (Py_ssize_t k = 0; k < extra && i >= count; k++)
      if (!PyUnicode_CompareWithASCIIString(PyTuple_GET_ITEM(keywords, k), f->parameters[i].name))
        given[i] = args[n + k], used++;
    if (!given[i]) given[i] = f->parameters[i].value;
    fits = fits && given[i];
  }
  PyObject* result = nullptr;
  if (fits && used == extra)
    result = f->invoke(given, &fits);
  else
    fits = false;
  if (given != few) delete[] given;
  return fits ? result : refuse(*f, args, n, keywords);
}

// A function whose exceptions torch's wrapper translates, as load_inline's `functions=` has them.
template <class F>
struct TorchFunction {
  F f;
};

template <bool TorchErrors, class Guard, class R, class... A>
Function* bind(R (*f)(A...)) {
  return new Bound<TorchErrors, Guard, R (*)(A...), R, A...>(f);
}
template <bool TorchErrors, class Guard, class F, class R, class... A>
Function* bind_callable(F f, R (F::*)(A...) const) {
  return new Bound<TorchErrors, Guard, F, R, A...>(static_cast<F&&>(f));
}
template <bool TorchErrors, class Guard, class F, class = decltype(&F::operator())>
Function* bind(F f) {
  return bind_callable<TorchErrors, Guard>(static_cast<F&&>(f), &F::operator());
}

class module_ {
 public:
  explicit module_(PyObject* m) : module(m) {}
  template <class F, class... Extra>
  module_& def(const char* name, F f, const Extra&... extra) {
    return add(name, bind<false, typename GuardOf<Extra...>::type>(f), extra...);
  }
  template <class F, class... Extra>
  module_& def(const char* name, TorchFunction<F> f, const Extra&... extra) {
    return add(name, bind<true, typename GuardOf<Extra...>::type>(f.f), extra...);
  }
#ifdef LEAN_OBJECTS
  Accessor<AttributeOf> attr(const char* name) const { return {handle(module), name}; }
#endif

 private:
  template <class... Extra>
  module_& add(const char* name, Function* f, const Extra&... extra) {
    // To pybind11 a second function of one name is an overload: the harness builds that with the
    // real headers when it reads this message.
    if (PyObject_HasAttrString(module, name)) {
      if (!PyErr_Occurred())
        PyErr_Format(PyExc_ImportError, "the lean headers have no overloads: %s", name);
      delete f;
      return *this;
    }
    f->name = Function::copy(name);
    (f->parameter(extra), ...);
    f->describe();
    f->method = {f->name, reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(call)),
                 METH_FASTCALL | METH_KEYWORDS, f->doc};
    PyObject* self = PyCapsule_New(f, "lean.Function", nullptr);
    PyObject* package = PyObject_GetAttrString(module, "__name__");
    PyObject* callable = PyCFunction_NewEx(&f->method, self, package);
    PyModule_AddObject(module, name, callable);
    Py_XDECREF(package);
    Py_XDECREF(self);
    return *this;
  }
  PyObject* module;
};

// Run a module's body; to who imports it, an exception is an ImportError.
inline void fill(void (*body)(module_&), module_& module) {
  try {
    body(module);
#ifdef LEAN_OBJECTS
  } catch (const error_already_set& e) {
    e.restore();
    _PyErr_FormatFromCause(PyExc_ImportError, "initialization failed");
#endif
  } catch (const std::exception& e) {
    PyErr_SetString(PyExc_ImportError, e.what());
  }
}
}  // namespace py
}  // namespace lean

namespace pybind11 {
using lean::py::arg;
using lean::py::call_guard;
using lean::py::gil_scoped_acquire;
using lean::py::gil_scoped_release;
using lean::py::module_;
using lean::py::none;
}  // namespace pybind11

#define LEAN_JOIN_(a, b) a##b
#define LEAN_JOIN(a, b) LEAN_JOIN_(a, b)
#define LEAN_TEXT_(a) #a
#define LEAN_TEXT(a) LEAN_TEXT_(a)
#define PYBIND11_MODULE(name, variable)                                                         \
  static void LEAN_JOIN(lean_init_, name)(::pybind11::module_&);                                \
  extern "C" __attribute__((visibility("default"))) PyObject* LEAN_JOIN(PyInit_, name)() {      \
    static PyModuleDef definition{PyModuleDef_HEAD_INIT, LEAN_TEXT(name), nullptr, -1, nullptr, \
                                  nullptr, nullptr, nullptr, nullptr};                          \
    PyObject* module = PyModule_Create(&definition);                                            \
    if (!module) return nullptr;                                                                \
    ::pybind11::module_ wrapped(module);                                                        \
    ::lean::py::fill(LEAN_JOIN(lean_init_, name), wrapped);                                     \
    if (PyErr_Occurred()) Py_CLEAR(module);                                                     \
    return module;                                                                              \
  }                                                                                             \
  static void LEAN_JOIN(lean_init_, name)(::pybind11::module_ & (variable))
