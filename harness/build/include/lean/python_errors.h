// Python's errors on their way through C++, and the exceptions that become such errors.
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
#define LEAN_ERROR(name, python)                                                       \
  struct name : builtin_exception {                                                    \
    explicit name(const char* text) : builtin_exception(text) {}                       \
    template <class S, class = decltype(static_cast<S*>(nullptr)->find_first_of("x"))> \
    explicit name(const S& text) : builtin_exception(text.c_str()) {}                  \
    PyObject* type() const override { return python; }                                 \
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

inline PyObject* need(PyObject* result) {
  if (!result) throw error_already_set();
  return result;
}
inline void need_done(int result) {
  if (result < 0) throw error_already_set();
}

}  // namespace lean::py
