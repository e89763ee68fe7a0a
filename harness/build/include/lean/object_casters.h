// Python's objects as arguments and results, and from and to C++'s values.
//
// As with pybind11, an argument must be of its very type: a list is no tuple.
#pragma once
#include <lean/objects.h>

namespace lean::py {

// What make_tuple returns: a tuple, that a signature would describe by its elements.
template <class... T>
struct TupleOf : tuple {
  using tuple::tuple;
};
template <class... A>
object packed(const A&... values) {
  const object items[] = {reinterpret_steal<object>(new_reference(values))..., object()};
  [[maybe_unused]] const std::type_info* const types[] = {&typeid(A)..., nullptr};
  const object all = stolen(PyTuple_New(sizeof...(A)));
  for (size_t i = 0; i < sizeof...(A); i++) {
    if (!items[i]) {
      Message m;
      m.parts("Unable to convert call argument '", i);
#ifdef NDEBUG
      m.add("' to Python object (#define PYBIND11_DETAILED_ERROR_MESSAGES or compile in debug mode "
            "for details)");
#else
      m.add("' of type '");
      add_type_name(m, *types[i]);
      m.add("' to Python object");
#endif
      throw cast_error(m.c_str());
    }
    PyTuple_SET_ITEM(all.ptr(), static_cast<Py_ssize_t>(i), items[i].inc_ref().ptr());
  }
  return all;
}
template <class... A>
TupleOf<A...> make_tuple(const A&... values) {
  return {packed(values...).release(), object::stolen_t{}};
}

template <class D>
Accessor<ItemOf> Api<D>::operator[](const char* key) const {
  return {self(), str(key)};
}
template <class D>
template <class K, class>
Accessor<ItemOf> Api<D>::operator[](const K& key) const {
  return {self(), reinterpret_borrow<object>(key.ptr())};
}
template <class D>
Accessor<AttributeOf> Api<D>::attr(const char* name) const {
  return {self(), name};
}
template <class D>
template <class... A>
object Api<D>::operator()(const A&... arguments) const {
  return stolen(PyObject_CallObject(self(), packed(arguments...).ptr()));
}
template <class D>
template <class T>
bool Api<D>::contains(const T& item) const {
  return attr("__contains__")(item).template cast<bool>();
}
template <class D>
iterator Api<D>::begin() const {
  return iterator(stolen(PyObject_GetIter(self())));
}
template <class D>
iterator Api<D>::end() const {
  return {};
}

template <class T>
T cast(const handle& h) {
  if constexpr (__is_base_of(ObjectTag, T)) {
    return T(reinterpret_borrow<object>(h));
  } else {
    Caster<T> caster;
    if (caster.load(h.ptr())) return static_cast<T&&>(caster.value);
    Message m;
    const object type = stolen(PyObject_Str(reinterpret_cast<PyObject*>(Py_TYPE(h.ptr()))));
    m.parts("Unable to cast Python instance of type ", PyUnicode_AsUTF8(type.ptr()),
            " to C++ type '");
#ifdef NDEBUG
    m.add("?' (#define PYBIND11_DETAILED_ERROR_MESSAGES or compile in debug mode for details)");
#else
    add_type_name(m, typeid(T));
    m.add('\'');
#endif
    throw cast_error(m.c_str());
  }
}
template <class T, class = UnlessObject<T>>
object cast(const T& value) {
  return reinterpret_steal<object>(new_reference(value));
}
template <class T>
T handle::cast() const {
  return py::cast<T>(*this);
}

// Of a handle everything would be an instance, and pybind11 does not answer.
template <class T, class = typename OnlyIf<!SameType<T, handle>::value>::type>
bool isinstance(handle o) {
  return T::check_(o);
}
inline bool isinstance(handle o, handle type) {
  const int is = PyObject_IsInstance(o.ptr(), type.ptr());
  need_done(is);
  return is;
}
inline size_t len(handle o) {
  const Py_ssize_t n = PyObject_Length(o.ptr());
  need_done(n < 0 ? -1 : 0);
  return static_cast<size_t>(n);
}
inline bool hasattr(handle o, const char* name) {
  return PyObject_HasAttrString(o.ptr(), name) == 1;
}

// As arguments and results. A default of py::none() is of type py::none, which no argument is.
template <class T>
struct ObjectCaster {
  T value = T(handle(), object::stolen_t{});
  bool load(PyObject* o) {
    if (!T::check_(o)) return false;
    value = reinterpret_borrow<T>(o);
    return true;
  }
};
template <>
struct ObjectCaster<handle> {
  handle value;
  bool load(PyObject* o) { return value = o, true; }
};
template <class T, class = IfObject<T>>
PyObject* to_python(const T& o) {
  return new_reference(o);
}
// For an object that was never given a value.
inline void refuse_result(const char* signature) {
  Message m;
  m.parts("Unable to convert function return value to a Python type! The signature was\n\t",
          signature);
  PyErr_SetString(PyExc_TypeError, m.c_str());
}
template <class T, class = IfObject<T>>
void result_name(Message& m, const T*) {
  Caster<T>::name(m);
}
#define LEAN_CASTER(T, text)                      \
  template <>                                     \
  struct Caster<T> : ObjectCaster<T> {            \
    static void name(Message& m) { m.add(text); } \
  };
LEAN_CASTER(object, "object")
LEAN_CASTER(handle, "object")
LEAN_CASTER(tuple, "tuple")
LEAN_CASTER(list, "list")
LEAN_CASTER(dict, "dict")
LEAN_CASTER(str, "str")
LEAN_CASTER(int_, "int")
LEAN_CASTER(none, "None")
#undef LEAN_CASTER

}  // namespace lean::py

namespace pybind11 {
using lean::py::cast;
using lean::py::cast_error;
using lean::py::dict;
using lean::py::error_already_set;
using lean::py::handle;
using lean::py::hasattr;
using lean::py::index_error;
using lean::py::int_;
using lean::py::isinstance;
using lean::py::key_error;
using lean::py::len;
using lean::py::list;
using lean::py::make_tuple;
using lean::py::object;
using lean::py::reinterpret_borrow;
using lean::py::reinterpret_steal;
using lean::py::str;
using lean::py::tuple;
using lean::py::type_error;
using lean::py::value_error;
}  // namespace pybind11
