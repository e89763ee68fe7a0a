// PYBIND11_MODULE, m.def and the argument conversions, over Python's own C interface.
#pragma once
#include <Python.h>
#include <lean/torch.h>

#include <exception>
#include <new>
#ifdef LEAN_PLAIN_ERRORS
#include <stdexcept>
#endif

namespace lean {

// The conversions torch gives pybind11: `self` is an at::Tensor, a pybind11::handle is a pointer.
bool tensor_from_python(Handle self, PyObject*, bool convert)
    LEAN_SYMBOL("_ZN8pybind116detail11type_casterIN2at6TensorEvE4loadENS_6handleEb");
PyObject* tensor_to_python(Handle, uint8_t policy, PyObject* parent) LEAN_SYMBOL(
    "_ZN8pybind116detail11type_casterIN2at6TensorEvE4castERKS3_NS_19return_value_policyENS_6handle"
    "E");
// What HANDLE_TH_ERRORS does with an exception: c10::IndexError becomes IndexError, and so on.
void translate_exception(const std::exception_ptr&)
    LEAN_SYMBOL("_ZN5torch29translate_exception_to_pythonERKNSt15__exception_ptr13exception_ptrE");

namespace py {

// Caster<T>: `load` takes a Python object and says whether it fits, `value` is the result.
template <class T>
struct Caster;

template <>
struct Caster<Tensor> {
  static void name(Message& m) { m.add("torch.Tensor"); }
  Tensor value;
  bool load(PyObject* o) { return tensor_from_python(value.handle(), o, true); }
};

// Integers accept whatever is or becomes an int without loss; never a float.
template <class T>
struct IntCaster {
  static void name(Message& m) { m.add("typing.SupportsInt"); }
  T value{};
  bool load(PyObject* o) {
    if (PyFloat_Check(o) || !PyNumber_Check(o)) return false;
    PyObject* number = PyLong_Check(o) || PyIndex_Check(o) ? PyNumber_Index(o) : PyNumber_Long(o);
    if (!number) return PyErr_Clear(), false;
    bool fits = false;
    if constexpr (static_cast<T>(-1) > 0) {
      const unsigned long long v = PyLong_AsUnsignedLongLong(number);
      value = static_cast<T>(v);
      fits = value == v;
    } else {
      const long long v = PyLong_AsLongLong(number);
      value = static_cast<T>(v);
      fits = value == v;
    }
    Py_DECREF(number);
    if (PyErr_Occurred()) return PyErr_Clear(), false;
    return fits;
  }
};
#define LEAN_INT(T) \
  template <>       \
  struct Caster<T> : IntCaster<T> {};
LEAN_INT(signed char)
LEAN_INT(unsigned char)
LEAN_INT(short)
LEAN_INT(unsigned short)
LEAN_INT(int)
LEAN_INT(unsigned)
LEAN_INT(long)
LEAN_INT(unsigned long)
LEAN_INT(long long)
LEAN_INT(unsigned long long)
#undef LEAN_INT

template <class T>
struct FloatCaster {
  static void name(Message& m) { m.add("typing.SupportsFloat"); }
  T value{};
  bool load(PyObject* o) {
    const double v = PyFloat_AsDouble(o);
    if (v == -1.0 && PyErr_Occurred()) return PyErr_Clear(), false;
    value = static_cast<T>(v);
    return true;
  }
};
template <>
struct Caster<double> : FloatCaster<double> {};
template <>
struct Caster<float> : FloatCaster<float> {};

template <>
struct Caster<bool> {
  static void name(Message& m) { m.add("bool"); }
  bool value = false;
  bool load(PyObject* o) {
    if (o != Py_None && !(Py_TYPE(o)->tp_as_number && Py_TYPE(o)->tp_as_number->nb_bool))
      return false;
    const int truth = PyObject_IsTrue(o);
    if (truth < 0) return PyErr_Clear(), false;
    value = truth;
    return true;
  }
};

#ifdef LEAN_STRING
template <>
struct Caster<std::string> {
  static void name(Message& m) { m.add("str"); }
  std::string value;
  bool load(PyObject* o) {
    Py_ssize_t n = 0;
    char* text = nullptr;
    if (PyBytes_Check(o)) {
      if (PyBytes_AsStringAndSize(o, &text, &n) < 0) return PyErr_Clear(), false;
      return value.assign(text, n), true;
    }
    const char* utf8 = PyUnicode_Check(o) ? PyUnicode_AsUTF8AndSize(o, &n) : nullptr;
    if (!utf8) return PyErr_Clear(), false;
    return value.assign(utf8, n), true;
  }
};
#endif

#ifdef LEAN_VECTOR
template <class T, class A>
struct Caster<std::vector<T, A>> {
  static void name(Message& m) {
    m.add("collections.abc.Sequence[");
    Caster<T>::name(m);
    m.add(']');
  }
  std::vector<T, A> value;
  bool load(PyObject* o) {
    if (!PySequence_Check(o) || PyUnicode_Check(o) || PyBytes_Check(o)) return false;
    const Py_ssize_t n = PySequence_Size(o);
    if (n < 0) return PyErr_Clear(), false;
    value.clear();
    value.reserve(static_cast<size_t>(n));
    for (Py_ssize_t i = 0; i < n; i++) {
      PyObject* item = PySequence_GetItem(o, i);
      if (!item) return PyErr_Clear(), false;
      Caster<T> element;
      const bool fits = element.load(item);
      Py_DECREF(item);
      if (!fits) return false;
      value.push_back(static_cast<T&&>(element.value));
    }
    return true;
  }
};
#endif

#ifdef LEAN_OPTIONAL
template <class T>
struct Caster<std::optional<T>> {
  static void name(Message& m) {
    Caster<T>::name(m);
    m.add(" | None");
  }
  std::optional<T> value;
  bool load(PyObject* o) {
    if (o == Py_None) return true;
    Caster<T> inner;
    if (!inner.load(o)) return false;
    value = static_cast<T&&>(inner.value);
    return true;
  }
};
#endif

// to_python: a new reference, or null with an error set.
inline PyObject* to_python(const Tensor& t) { return tensor_to_python(t.handle(), 4, nullptr); }
inline PyObject* to_python(bool v) { return PyBool_FromLong(v); }
inline PyObject* to_python(int v) { return PyLong_FromLong(v); }
inline PyObject* to_python(unsigned v) { return PyLong_FromUnsignedLong(v); }
inline PyObject* to_python(long v) { return PyLong_FromLong(v); }
inline PyObject* to_python(unsigned long v) { return PyLong_FromUnsignedLong(v); }
inline PyObject* to_python(long long v) { return PyLong_FromLongLong(v); }
inline PyObject* to_python(unsigned long long v) { return PyLong_FromUnsignedLongLong(v); }
inline PyObject* to_python(double v) { return PyFloat_FromDouble(v); }
inline PyObject* to_python(float v) { return PyFloat_FromDouble(static_cast<double>(v)); }
inline PyObject* to_python(const char* s) {
  if (!s) Py_RETURN_NONE;
  return PyUnicode_FromString(s);
}
inline void result_name(Message& m, const Tensor*) { m.add("torch.Tensor"); }
inline void result_name(Message& m, const bool*) { m.add("bool"); }
inline void result_name(Message& m, const double*) { m.add("float"); }
inline void result_name(Message& m, const float*) { m.add("float"); }
inline void result_name(Message& m, const char* const*) { m.add("str"); }
inline void result_name(Message& m, const void*) { m.add("None"); }
#define LEAN_INT(T) \
  inline void result_name(Message& m, const T*) { m.add("int"); }
LEAN_INT(int)
LEAN_INT(unsigned)
LEAN_INT(long)
LEAN_INT(unsigned long)
LEAN_INT(long long)
LEAN_INT(unsigned long long)
#undef LEAN_INT
#ifdef LEAN_STRING
inline PyObject* to_python(const std::string& s) {
  return PyUnicode_DecodeUTF8(s.data(), static_cast<Py_ssize_t>(s.size()), nullptr);
}
inline void result_name(Message& m, const std::string*) { m.add("str"); }
#endif
#ifdef LEAN_VECTOR
template <class T>
void result_name(Message& m, const std::vector<T>*) {
  m.add("list[");
  result_name(m, static_cast<const T*>(nullptr));
  m.add(']');
}
template <class T>
PyObject* to_python(const std::vector<T>& values) {
  PyObject* list = PyList_New(static_cast<Py_ssize_t>(values.size()));
  for (size_t i = 0; list && i < values.size(); i++) {
    PyObject* item = to_python(static_cast<const T&>(values[i]));
    if (!item) {
      Py_DECREF(list);
      return nullptr;
    }
    PyList_SET_ITEM(list, static_cast<Py_ssize_t>(i), item);
  }
  return list;
}
#endif
#ifdef LEAN_OPTIONAL
template <class T>
void result_name(Message& m, const std::optional<T>*) {
  result_name(m, static_cast<const T*>(nullptr));
  m.add(" | None");
}
template <class T>
PyObject* to_python(const std::optional<T>& v) {
  if (!v) Py_RETURN_NONE;
  return to_python(*v);
}
#endif
#ifdef LEAN_TUPLE
inline void join_names(Message&) {}
template <class T, class... Rest>
void join_names(Message& m, const T* one, Rest... rest) {
  result_name(m, one);
  if (sizeof...(rest)) m.add(", ");
  join_names(m, rest...);
}
template <class... T>
void result_name(Message& m, const std::tuple<T...>*) {
  m.add("tuple[");
  join_names(m, static_cast<const T*>(nullptr)...);
  m.add(']');
}
template <class... T>
PyObject* to_python(const std::tuple<T...>& values) {
  return std::apply(
      [](const T&... v) -> PyObject* {
        PyObject* items[] = {to_python(v)...};
        PyObject* tuple = PyTuple_New(sizeof...(T));
        Py_ssize_t i = 0;
        for (PyObject* item : items) {
          if (!item || !tuple) {
            Py_XDECREF(tuple);
            return nullptr;
          }
          PyTuple_SET_ITEM(tuple, i++, item);
        }
        return tuple;
      },
      values);
}
template <class A, class B>
void result_name(Message& m, const std::pair<A, B>*) {
  result_name(m, static_cast<const std::tuple<A, B>*>(nullptr));
}
template <class A, class B>
PyObject* to_python(const std::pair<A, B>& v) {
  return to_python(std::tuple<const A&, const B&>(v.first, v.second));
}
#endif

// py::arg("x") and py::arg("x") = 1.0
struct arg_v {
  const char* name;
  PyObject* value;
};
struct arg {
  explicit constexpr arg(const char* n) : name(n) {}
  template <class T>
  arg_v operator=(const T& v) const {
    return {name, to_python(v)};
  }
  arg_v operator=(std::nullptr_t) const = delete;
  const char* name;
};

// A parameter as the casters see it: no reference, no const.
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
  PyMethodDef method{};
  virtual PyObject* invoke(PyObject* const* given, bool* fits) = 0;
  virtual void describe_parameter(Message&, size_t) const = 0;
  virtual void describe_result(Message&) const = 0;
  virtual ~Function() = default;

  void parameter(const char* text) {
    delete[] doc;
    doc = copy(text);
  }
  void parameter(const arg& a) { parameter(arg_v{a.name, nullptr}); }
  void parameter(const arg_v& a) { parameters[named++] = a; }
  static char* copy(const char* text) {
    return std::strcpy(new char[std::strlen(text) + 1], text);
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

template <bool TorchErrors, class F, class R, class... A>
struct Bound final : Function {
  F f;
  explicit Bound(F g) : f(static_cast<F&&>(g)) {
    arity = sizeof...(A);
    parameters = new arg_v[arity + 1]{};
  }
  using Ix = typename IndicesUpTo<sizeof...(A)>::type;
  PyObject* invoke(PyObject* const* given, bool* fits) override {
    Slots<Ix, A...> slots;
    *fits = slots.load(given);
    if (!*fits) return nullptr;
    try {
      if constexpr (IsVoid<R>::value) {
        slots.template call<R>(f);
        Py_RETURN_NONE;
      } else {
        return to_python(slots.template call<R>(f));
      }
    } catch (const KindError& e) {
      PyErr_SetString(TorchErrors ? type_of(e.kind()) : PyExc_RuntimeError, e.what());
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
  // pybind11's own table, which applies where torch's wrapper does not.
  static void translate_plain() {
    try {
      throw;
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
inline PyObject* refuse(const Function& f, PyObject* const* args, Py_ssize_t n) {
  Message m;
  m.parts(f.name, "(): incompatible function arguments. The following argument types are "
          "supported:\n    1. ", f.signature + std::strlen(f.name), "\n\nInvoked with: ");
  for (Py_ssize_t i = 0; i < n; i++) {
    if (i) m.add(", ");
    PyObject* repr = PyObject_Repr(args[i]);
    const char* text = repr ? PyUnicode_AsUTF8(repr) : nullptr;
    m.add(text ? text : "<repr raised Error>");
    Py_XDECREF(repr);
    PyErr_Clear();
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
    return fits ? result : refuse(*f, args, n);
  }
  if (!f->named || count + static_cast<size_t>(extra) > f->arity)
    return refuse(*f, args, n + extra);
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
  return fits ? result : refuse(*f, args, n + extra);
}

// A function whose exceptions torch's wrapper translates, as load_inline's `functions=` has them.
template <class F>
struct TorchFunction {
  F f;
};

template <bool TorchErrors, class R, class... A>
Function* bind(R (*f)(A...)) {
  return new Bound<TorchErrors, R (*)(A...), R, A...>(f);
}
template <bool TorchErrors, class F, class R, class... A>
Function* bind_callable(F f, R (F::*)(A...) const) {
  return new Bound<TorchErrors, F, R, A...>(static_cast<F&&>(f));
}
template <bool TorchErrors, class F, class = decltype(&F::operator())>
Function* bind(F f) {
  return bind_callable<TorchErrors>(static_cast<F&&>(f), &F::operator());
}

class module_ {
 public:
  explicit module_(PyObject* m) : module(m) {}
  template <class F, class... Extra>
  module_& def(const char* name, F f, const Extra&... extra) {
    return add(name, bind<false>(f), extra...);
  }
  template <class F, class... Extra>
  module_& def(const char* name, TorchFunction<F> f, const Extra&... extra) {
    return add(name, bind<true>(f.f), extra...);
  }

 private:
  template <class... Extra>
  module_& add(const char* name, Function* f, const Extra&... extra) {
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
}  // namespace py
}  // namespace lean

namespace pybind11 {
using lean::py::arg;
using lean::py::module_;
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
    LEAN_JOIN(lean_init_, name)(wrapped);                                                       \
    return module;                                                                              \
  }                                                                                             \
  static void LEAN_JOIN(lean_init_, name)(::pybind11::module_ & (variable))
