// Python's objects as values: py::object, py::tuple, py::dict and the like.
//
// As with pybind11, a conversion from one of these classes to another does what Python's own
// constructor does: a list of a tuple. Left out on purpose is what could pass for a number.
#pragma once
#include <lean/python_errors.h>

namespace lean::py {

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
  static object get(handle o, const object& key) {
    return stolen(PyObject_GetItem(o.ptr(), key.ptr()));
  }
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
#define LEAN_ELEMENT(kind, Python)                                         \
  struct kind##Element {                                                   \
    using Key = size_t;                                                    \
    static object get(handle o, Key i) {                                   \
      return reinterpret_borrow<object>(                                   \
          need(Python##_GetItem(o.ptr(), static_cast<Py_ssize_t>(i))));    \
    }                                                                      \
    static void set(handle o, Key i, PyObject* v) {                        \
      Py_XINCREF(v);                                                       \
      need_done(Python##_SetItem(o.ptr(), static_cast<Py_ssize_t>(i), v)); \
    }                                                                      \
  };
LEAN_ELEMENT(Tuple, PyTuple)
LEAN_ELEMENT(List, PyList)
#undef LEAN_ELEMENT

// Classes of objects that one makes of any object that Python's constructor takes.
#define LEAN_OBJECT(name, check, convert)                                             \
  name(handle h, borrowed_t) : object(h, borrowed_t{}) {}                             \
  name(handle h, stolen_t) : object(h, stolen_t{}) {}                                 \
  static bool check_(handle h) { return h.ptr() && check(h.ptr()); }                  \
  name(const object& o)                                                               \
      : object(need(check_(o) ? o.inc_ref().ptr() : convert(o.ptr())), stolen_t{}) {} \
  template <class Policy>                                                             \
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
#define LEAN_SEQUENCE(name, kind, Python)                                                    \
  LEAN_OBJECT(name, Python##_Check, PySequence_##kind)                                       \
  name() : name(0) {}                                                                        \
  template <class N, class = typename OnlyIf<static_cast<N>(1) / 2 == 0>::type>              \
  explicit name(N n) : object(need(Python##_New(static_cast<Py_ssize_t>(n))), stolen_t{}) {} \
  size_t size() const { return static_cast<size_t>(Python##_Size(m_ptr)); }                  \
  bool empty() const { return size() == 0; }                                                 \
  Accessor<kind##Element> operator[](size_t i) const { return {*this, i}; }                  \
  template <class K, class = IfObject<K>>                                                    \
  Accessor<ItemOf> operator[](const K& key) const {                                          \
    return object::operator[](key);                                                          \
  }                                                                                          \
  Elements begin() const { return {PySequence_Fast_ITEMS(m_ptr)}; }                          \
  Elements end() const { return {begin().at + Python##_GET_SIZE(m_ptr)}; }

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
#undef LEAN_OBJECT
#undef LEAN_SEQUENCE

}  // namespace lean::py
