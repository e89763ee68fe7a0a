// Python's objects as arguments, results and values: py::object, py::tuple, py::dict and the like.
//
// As with pybind11, an argument must be of its very type, while a conversion from one of these
// classes to another does what Python's own constructor does (a list of a tuple). What is missing
// here on purpose: what could be read as a number or a truth, and what catches a Python error.
#pragma once
#include <lean/casters.h>

#include <cxxabi.h>

#include <cstdlib>
#include <exception>
#include <typeinfo>

#ifdef LEAN_CATCHES
// A source that catches exceptions may ask for what(), which pybind11 makes of the traceback.
#error the lean headers have no Python errors to catch
#endif

namespace lean::py {

// A Python error on its way through C++. It is held, not left set: destructors may run Python code.
class error_already_set : public std::exception {
 public:
  error_already_set() {
    PyErr_Fetch(&type_, &value_, &trace_);
    PyErr_NormalizeException(&type_, &value_, &trace_);
  }
  error_already_set(const error_already_set& o) noexcept
      : type_(o.type_), value_(o.value_), trace_(o.trace_) {
    Py_XINCREF(type_), Py_XINCREF(value_), Py_XINCREF(trace_);
  }
  ~error_already_set() override { Py_XDECREF(type_), Py_XDECREF(value_), Py_XDECREF(trace_); }
  void restore() const {
    Py_XINCREF(type_), Py_XINCREF(value_), Py_XINCREF(trace_);
    PyErr_Restore(type_, value_, trace_);
  }

 private:
  PyObject *type_ = nullptr, *value_ = nullptr, *trace_ = nullptr;
};
// What C++ throws to have a Python error of a certain type.
struct builtin_exception : KindError {
  explicit builtin_exception(const char* text) : KindError(Kind::Type, text) {}
  virtual PyObject* type() const = 0;
};
#define LEAN_ERROR(name, python)                                          \
  struct name : builtin_exception {                                       \
    explicit name(const char* text) : builtin_exception(text) {}          \
    template <class S, class = decltype(static_cast<S*>(nullptr)->find_first_of("x"))> \
    explicit name(const S& text) : builtin_exception(text.c_str()) {}     \
    PyObject* type() const override { return python; }                    \
  };
LEAN_ERROR(cast_error, PyExc_RuntimeError)
LEAN_ERROR(index_error, PyExc_IndexError)
LEAN_ERROR(key_error, PyExc_KeyError)
LEAN_ERROR(type_error, PyExc_TypeError)
LEAN_ERROR(value_error, PyExc_ValueError)
#undef LEAN_ERROR

// A type as the real headers' messages call it.
inline void add_type_name(Message& m, const std::type_info& type) {
  char* name = abi::__cxa_demangle(type.name(), nullptr, nullptr, nullptr);
  const char* const ours[][2] = {{"lean::py::", ""}, {"lean::Tensor", "at::Tensor"},
                                 {"lean::", "c10::"}};
  for (const char* c = name ? name : type.name(); *c;) {
    const char* const* found = nullptr;
    for (const auto& pair : ours)
      if (!found && !std::strncmp(c, pair[0], std::strlen(pair[0]))) found = pair;
    found ? m.add(found[1]) : m.add(*c);
    c += found ? std::strlen(found[0]) : 1;
  }
  std::free(name);
}
#ifdef NDEBUG
#define LEAN_CAST_HINT \
  " (#define PYBIND11_DETAILED_ERROR_MESSAGES or compile in debug mode for "
#endif

inline PyObject* need(PyObject* result) {
  if (!result) throw error_already_set();
  return result;
}
inline void need_done(int result) {
  if (result < 0) throw error_already_set();
}

struct ObjectTag {};
template <class T>
using IfObject = typename OnlyIf<__is_base_of(ObjectTag, typename Plain<T>::type)>::type;
template <class T>
using UnlessObject = typename OnlyIf<!__is_base_of(ObjectTag, typename Plain<T>::type)>::type;

// New references. A value must have a caster, lest a pointer or an enumerator pass for a number.
template <class T, class = IfObject<T>>
PyObject* new_reference(const T& o) {
  PyObject* object = o.ptr();
  Py_XINCREF(object);
  return object;
}
inline PyObject* new_reference(const char* text) { return need(to_python(text)); }
template <class T, class = UnlessObject<T>, size_t = sizeof(Caster<T>)>
PyObject* new_reference(const T& value, int = 0) {
  PyObject* object = to_python(value);
  if (!object && PyErr_Occurred()) throw error_already_set();
  return object;
}

template <class Policy>
class Accessor;
class object;
class iterator;
struct ItemOf;
struct AttributeOf;
template <class Policy>
struct ElementOf;
struct TupleElement;
struct ListElement;

template <class Derived>
class Api : public ObjectTag {
 public:
  iterator begin() const;
  iterator end() const;
  Accessor<ItemOf> operator[](const char* key) const;
  template <class K, class = IfObject<K>>
  Accessor<ItemOf> operator[](const K& key) const;
  Accessor<AttributeOf> attr(const char* name) const;
  template <class T>
  bool contains(const T& item) const;
  template <class... A>
  object operator()(const A&... arguments) const;
  bool is(const Api& other) const { return self() == other.self(); }
  bool is_none() const { return self() == Py_None; }

 private:
  PyObject* self() const { return static_cast<const Derived*>(this)->ptr(); }
};

class handle : public Api<handle> {
 public:
  handle() = default;
  template <class T, class = typename OnlyIf<SameType<T, PyObject*>::value>::type>
  handle(T p) : m_ptr(p) {}
  PyObject* ptr() const { return m_ptr; }
  const handle& inc_ref() const { return Py_XINCREF(m_ptr), *this; }
  const handle& dec_ref() const { return Py_XDECREF(m_ptr), *this; }
  template <class T>
  T cast() const;
  explicit operator bool() const { return m_ptr; }

 protected:
  PyObject* m_ptr = nullptr;
};

class object : public handle {
 public:
  struct borrowed_t {};
  struct stolen_t {};
  object() = default;
  object(handle h, borrowed_t) : handle(h) { inc_ref(); }
  object(handle h, stolen_t) : handle(h) {}
  object(const object& o) : handle(o) { inc_ref(); }
  object(object&& o) noexcept : handle(o) { o.m_ptr = nullptr; }
  object& operator=(object o) noexcept {
    PyObject* before = m_ptr;
    m_ptr = o.m_ptr;
    o.m_ptr = before;
    return *this;
  }
  ~object() { dec_ref(); }
  handle release() {
    handle h(m_ptr);
    m_ptr = nullptr;
    return h;
  }
  static bool check_(handle h) { return h.ptr(); }
};
template <class T>
T reinterpret_borrow(handle h) {
  return {h, object::borrowed_t{}};
}
template <class T>
T reinterpret_steal(handle h) {
  return {h, object::stolen_t{}};
}
inline object stolen(PyObject* result) { return reinterpret_steal<object>(need(result)); }

// object[key], object.attr(name): read when it is used, written when it is assigned to.
template <class Policy>
class Accessor : public Api<Accessor<Policy>> {
 public:
  using Key = typename Policy::Key;
  Accessor(handle of, Key key) : of_(of), key_(key) {}
  Accessor(const Accessor&) = default;
  void operator=(const Accessor& a) && { Policy::set(of_, key_, a.ptr()); }
  void operator=(const Accessor& a) & { read_ = a; }
  template <class T>
  void operator=(const T& value) && {
    const object o = reinterpret_steal<object>(new_reference(value));
    Policy::set(of_, key_, o.ptr());
  }
  // A variable that holds an accessor is given another value, and its object is left alone.
  template <class T>
  void operator=(const T& value) & {
    read_ = reinterpret_steal<object>(new_reference(value));
  }
  operator object() const { return read(); }
  PyObject* ptr() const { return read().ptr(); }
  template <class T>
  T cast() const {
    return read().template cast<T>();
  }

 private:
  const object& read() const {
    if (!read_) read_ = Policy::get(of_, key_);
    return read_;
  }
  handle of_;
  Key key_;
  mutable object read_;
};
struct ItemOf {
  using Key = object;
  static object get(handle o, const object& key) { return stolen(PyObject_GetItem(o.ptr(), key.ptr())); }
  static void set(handle o, const object& key, PyObject* v) {
    need_done(PyObject_SetItem(o.ptr(), key.ptr(), v));
  }
};
struct AttributeOf {
  using Key = const char*;
  static object get(handle o, Key name) { return stolen(PyObject_GetAttrString(o.ptr(), name)); }
  static void set(handle o, Key name, PyObject* v) {
    need_done(PyObject_SetAttrString(o.ptr(), name, v));
  }
};
#define LEAN_ELEMENT(kind, Python)                                                      \
  struct kind##Element {                                                                \
    using Key = size_t;                                                                 \
    static object get(handle o, Key i) {                                                \
      return reinterpret_borrow<object>(                                                \
          need(Python##_GetItem(o.ptr(), static_cast<Py_ssize_t>(i))));                 \
    }                                                                                   \
    static void set(handle o, Key i, PyObject* v) {                                     \
      Py_XINCREF(v);                                                                    \
      need_done(Python##_SetItem(o.ptr(), static_cast<Py_ssize_t>(i), v));              \
    }                                                                                   \
  };
LEAN_ELEMENT(Tuple, PyTuple)
LEAN_ELEMENT(List, PyList)
#undef LEAN_ELEMENT

// Classes of objects that one makes of any object that Python's constructor takes.
#define LEAN_OBJECT(name, check, convert)                                            \
  name(handle h, borrowed_t) : object(h, borrowed_t{}) {}                            \
  name(handle h, stolen_t) : object(h, stolen_t{}) {}                                \
  static bool check_(handle h) { return h.ptr() && check(h.ptr()); }                 \
  name(const object& o)                                                              \
      : object(need(check_(o) ? o.inc_ref().ptr() : convert(o.ptr())), stolen_t{}) {} \
  template <class Policy>                                                            \
  name(const Accessor<Policy>& a) : name(object(a)) {}

class str : public object {
 public:
  LEAN_OBJECT(str, PyUnicode_Check, PyObject_Str)
  str(const char* text = "") : object(need(PyUnicode_FromString(text)), stolen_t{}) {}
#ifdef LEAN_STRING
  str(const std::string& s) : object(need(to_python(s)), stolen_t{}) {}
  operator std::string() const {
    Py_ssize_t n = 0;
    const char* text = PyUnicode_AsUTF8AndSize(m_ptr, &n);
    if (!text) throw error_already_set();
    return std::string(text, static_cast<size_t>(n));
  }
#endif
  template <class T, class = typename OnlyIf<SameType<T, handle>::value>::type>
  explicit str(const T& h) : object(need(PyObject_Str(h.ptr())), stolen_t{}) {}
};
// pybind11's is read as a number in C++, also where a truth is asked for; this one is not.
class int_ : public object {
 public:
  LEAN_OBJECT(int_, PyLong_Check, PyNumber_Long)
  explicit operator bool() const = delete;
};
struct Elements {
  handle operator*() const { return *at; }
  Elements& operator++() { return at++, *this; }
  bool operator!=(const Elements& o) const { return at != o.at; }
  PyObject** at;
};
#define LEAN_SEQUENCE(name, kind, Python)                                               \
  LEAN_OBJECT(name, Python##_Check, LEAN_OF_SEQUENCE_##kind)                            \
  name() : name(0) {}                                                                   \
  template <class N, class = typename OnlyIf<static_cast<N>(1) / 2 == 0>::type>           \
  explicit name(N n) : object(need(Python##_New(static_cast<Py_ssize_t>(n))), stolen_t{}) {} \
  size_t size() const { return static_cast<size_t>(Python##_Size(m_ptr)); }             \
  bool empty() const { return size() == 0; }                                            \
  Accessor<kind##Element> operator[](size_t i) const { return {*this, i}; }             \
  template <class K, class = IfObject<K>>                                               \
  Accessor<ItemOf> operator[](const K& key) const {                                     \
    return object::operator[](key);                                                     \
  }                                                                                     \
  Elements begin() const { return {PySequence_Fast_ITEMS(m_ptr)}; }                     \
  Elements end() const { return {begin().at + Python##_GET_SIZE(m_ptr)}; }
#define LEAN_OF_SEQUENCE_Tuple PySequence_Tuple
#define LEAN_OF_SEQUENCE_List PySequence_List

class tuple : public object {
 public:
  LEAN_SEQUENCE(tuple, Tuple, PyTuple)
};
class list : public object {
 public:
  LEAN_SEQUENCE(list, List, PyList)
  template <class T>
  void append(const T& value) {
    const object o = reinterpret_steal<object>(new_reference(value));
    need_done(PyList_Append(m_ptr, o.ptr()));
  }
};
struct DictItem {
  handle first, second;
};
struct DictItems {
  DictItem operator*() const { return {key, value}; }
  DictItems& operator++() {
    if (!PyDict_Next(of, &at, &key, &value)) at = -1;
    return *this;
  }
  bool operator!=(const DictItems& o) const { return at != o.at; }
  PyObject* of = nullptr;
  Py_ssize_t at = -1;
  PyObject *key = nullptr, *value = nullptr;
};
inline PyObject* dict_of(PyObject* o) {
  return PyObject_CallOneArg(reinterpret_cast<PyObject*>(&PyDict_Type), o);
}
class dict : public object {
 public:
  LEAN_OBJECT(dict, PyDict_Check, dict_of)
  dict() : object(need(PyDict_New()), stolen_t{}) {}
  size_t size() const { return static_cast<size_t>(PyDict_Size(m_ptr)); }
  bool empty() const { return size() == 0; }
  DictItems begin() const { return ++DictItems{m_ptr, 0}; }
  DictItems end() const { return {}; }
  template <class T>
  bool contains(const T& key) const {
    const object o = reinterpret_steal<object>(new_reference(key));
    const int found = PyDict_Contains(m_ptr, o.ptr());
    need_done(found);
    return found;
  }
};
class none : public object {
 public:
  none() : object(Py_None, borrowed_t{}) {}
  none(handle h, borrowed_t) : object(h, borrowed_t{}) {}
  static bool check_(handle h) { return h.ptr() == Py_None; }
};
// What Python's iter() makes of an object, at its next element.
class iterator {
 public:
  iterator() = default;
  explicit iterator(object o) : of_(o) { ++*this; }
  handle operator*() const { return value_; }
  iterator& operator++() {
    value_ = reinterpret_steal<object>(PyIter_Next(of_.ptr()));
    if (!value_ && PyErr_Occurred()) throw error_already_set();
    return *this;
  }
  bool operator!=(const iterator& o) const { return value_.ptr() != o.value_.ptr(); }

 private:
  object of_, value_;
};

// What make_tuple returns: a tuple, that a signature would describe by its elements.
template <class... T>
struct TupleOf : tuple {
  using tuple::tuple;
};
template <class... A>
object packed(const A&... values) {
  const object items[] = {reinterpret_steal<object>(new_reference(values))..., object()};
  const std::type_info* const types[] = {&typeid(A)..., nullptr};
  const object all = stolen(PyTuple_New(sizeof...(A)));
  for (size_t i = 0; i < sizeof...(A); i++) {
    if (!items[i]) {
      Message m;
      m.parts("Unable to convert call argument '", i);
#ifdef NDEBUG
      m.parts("' to Python object", LEAN_CAST_HINT, "type information)");
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
    m.parts("?'", LEAN_CAST_HINT, "details)");
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
#define LEAN_CASTER(T, text)                            \
  template <>                                           \
  struct Caster<T> : ObjectCaster<T> {                  \
    static void name(Message& m) { m.add(text); }       \
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
#undef LEAN_OBJECT
#undef LEAN_SEQUENCE

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
