// Conversions between Python and C++, as pybind11 and torch's casters for it do them.
#pragma once
#include <Python.h>
#include <lean/torch.h>


extern PyTypeObject THPDtypeType, THPDeviceType;

namespace lean {

// The conversions torch gives pybind11: `self` is an at::Tensor, a pybind11::handle is a pointer.
bool tensor_from_python(Handle self, PyObject*, bool convert)
    LEAN_SYMBOL("_ZN8pybind116detail11type_casterIN2at6TensorEvE4loadENS_6handleEb");
PyObject* tensor_to_python(Handle, uint8_t policy, PyObject* parent) LEAN_SYMBOL(
    "_ZN8pybind116detail11type_casterIN2at6TensorEvE4castERKS3_NS_19return_value_policyENS_6handle"
    "E");
bool scalar_from_python(Scalar*, PyObject*, bool convert)
    LEAN_SYMBOL("_ZN8pybind116detail11type_casterIN3c106ScalarEvE4loadENS_6handleEb");
PyObject* scalar_to_python(const Scalar&, uint8_t policy, PyObject* parent) LEAN_SYMBOL(
    "_ZN8pybind116detail11type_casterIN3c106ScalarEvE4castERKS3_NS_19return_value_policyENS_6handle"
    "E");
// The view, and the std::vector that it is of.
struct KeptList {
  IntArrayRef list;
  void *begin = nullptr, *end = nullptr, *capacity = nullptr;
};
bool list_from_python(KeptList*, PyObject*, bool convert)
    LEAN_SYMBOL("_ZN8pybind116detail11type_casterIN3c108ArrayRefIlEEvE4loadENS_6handleEb");
PyObject* list_to_python(IntArrayRef, uint8_t policy, PyObject* parent) LEAN_SYMBOL(
    "_ZN8pybind116detail11type_casterIN3c108ArrayRefIlEEvE4castES4_NS_19return_value_policyENS_6hand"
    "leE");
PyObject* device_to_python(const Device&) LEAN_SYMBOL("_Z13THPDevice_NewRKN3c106DeviceE");
PyObject* dtype_to_python(ScalarType)
    LEAN_SYMBOL("_ZN5torch11getTHPDtypeEN3c1010ScalarTypeE");

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

template <>
struct Caster<Scalar> {
  static void name(Message& m) {
    m.add("Union[Number, torch.SymInt, torch.SymFloat, torch.SymBool]");
  }
  Scalar value;
  bool load(PyObject* o) { return scalar_from_python(&value, o, true); }
};
template <>
struct Caster<IntArrayRef> {
  static void name(Message& m) { m.add("Tuple[int, ...]"); }
  Caster() = default;
  Caster(const Caster&) = delete;
  ~Caster() { ::operator delete(kept.begin); }
  KeptList kept;
  IntArrayRef& value = kept.list;
  bool load(PyObject* o) { return list_from_python(&kept, o, true); }
};
// torch.dtype and torch.device: what they hold follows Python's own header.
template <class T>
struct HeldCaster {
  T value;
  bool load_if(PyObject* o, const PyTypeObject& type) {
    if (Py_TYPE(o) != &type) return false;
    std::memcpy(static_cast<void*>(&value), reinterpret_cast<char*>(o) + sizeof(PyObject),
                sizeof value);
    return true;
  }
};
template <>
struct Caster<ScalarType> : HeldCaster<ScalarType> {
  static void name(Message& m) { m.add("torch.dtype"); }
  bool load(PyObject* o) { return load_if(o, THPDtypeType); }
};
template <>
struct Caster<Device> : HeldCaster<Device> {
  Caster() : HeldCaster<Device>{Device(DeviceType::CPU)} {}
  static void name(Message& m) { m.add("torch.device"); }
  bool load(PyObject* o) { return load_if(o, THPDeviceType); }
};

// Some versions of pybind11 call numbers so.
#ifdef LEAN_NAMES_INDEX
#define LEAN_OR_INDEX " | typing.SupportsIndex"
#else
#define LEAN_OR_INDEX ""
#endif

// Integers accept whatever is or becomes an int without loss; never a float.
template <class T>
struct IntCaster {
  static void name(Message& m) { m.add("typing.SupportsInt" LEAN_OR_INDEX); }
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
  static void name(Message& m) { m.add("typing.SupportsFloat" LEAN_OR_INDEX); }
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
  using Inner = Caster<typename Unqualified<T>::type>;
  static void name(Message& m) {
    Inner::name(m);
    m.add(" | None");
  }
  std::optional<T> value;
  bool load(PyObject* o) {
    if (o == Py_None) return true;
    Inner inner;
    if (!inner.load(o)) return false;
    value.emplace(static_cast<T&&>(inner.value));
    return true;
  }
};
#endif

#ifdef LEAN_TUPLE
template <class... T>
struct Caster<std::tuple<T...>> {
  static void name(Message& m) {
    m.add("tuple[");
    int i = 0;
    (((i++ ? m.add(", ") : void()), Caster<T>::name(m)), ...);
    m.add(']');
  }
  std::tuple<T...> value;
  bool load(PyObject* o) {
    if (!PySequence_Check(o)) return false;
    if (PySequence_Size(o) != sizeof...(T)) return PyErr_Clear(), false;
    Py_ssize_t i = 0;
    return std::apply([&](T&... v) { return (load_item(o, i++, v) && ...); }, value);
  }

 private:
  template <class V>
  static bool load_item(PyObject* o, Py_ssize_t i, V& v) {
    PyObject* item = PySequence_GetItem(o, i);
    if (!item) return PyErr_Clear(), false;
    Caster<V> caster;
    const bool fits = caster.load(item);
    Py_DECREF(item);
    if (fits) v = static_cast<V&&>(caster.value);
    return fits;
  }
};
template <class A, class B>
struct Caster<std::pair<A, B>> {
  static void name(Message& m) { Caster<std::tuple<A, B>>::name(m); }
  std::pair<A, B> value;
  bool load(PyObject* o) {
    Caster<std::tuple<A, B>> both;
    if (!both.load(o)) return false;
    value = {std::get<0>(static_cast<std::tuple<A, B>&&>(both.value)),
             std::get<1>(static_cast<std::tuple<A, B>&&>(both.value))};
    return true;
  }
};
#endif

// to_python: a new reference, or null with an error set.
inline PyObject* to_python(const Tensor& t) { return tensor_to_python(t.handle(), 4, nullptr); }
inline PyObject* to_python(const Scalar& v) { return scalar_to_python(v, 4, nullptr); }
inline PyObject* to_python(IntArrayRef v) { return list_to_python(v, 4, nullptr); }
inline PyObject* to_python(const Device& v) { return device_to_python(v); }
inline PyObject* to_python(ScalarType v) {
  PyObject* dtype = dtype_to_python(v);
  Py_XINCREF(dtype);
  return dtype;
}
#ifdef LEAN_OPTIONAL
inline PyObject* to_python(std::nullopt_t) { Py_RETURN_NONE; }
#endif
// What has no way of its own may not turn into a number on the way: an enum, a pointer, a char.
// Python's objects have theirs in object_casters.h.
struct ObjectTag;
template <class T, class = typename OnlyIf<!__is_base_of(ObjectTag, T)>::type, int = 0>
PyObject* to_python(const T&) = delete;
inline PyObject* to_python(bool v) { return PyBool_FromLong(v); }
inline PyObject* to_python(signed char v) { return PyLong_FromLong(v); }
inline PyObject* to_python(unsigned char v) { return PyLong_FromLong(v); }
inline PyObject* to_python(short v) { return PyLong_FromLong(v); }
inline PyObject* to_python(unsigned short v) { return PyLong_FromLong(v); }
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
inline void result_name(Message& m, const Scalar*) { Caster<Scalar>::name(m); }
inline void result_name(Message& m, const IntArrayRef*) { Caster<IntArrayRef>::name(m); }
inline void result_name(Message& m, const Device*) { Caster<Device>::name(m); }
inline void result_name(Message& m, const ScalarType*) { Caster<ScalarType>::name(m); }
inline void result_name(Message& m, const bool*) { m.add("bool"); }
inline void result_name(Message& m, const double*) { m.add("float"); }
inline void result_name(Message& m, const float*) { m.add("float"); }
inline void result_name(Message& m, const char* const*) { m.add("str"); }
inline void result_name(Message& m, const void*) { m.add("None"); }
#define LEAN_INT(T) \
  inline void result_name(Message& m, const T*) { m.add("int"); }
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

}  // namespace py
}  // namespace lean
