// TORCH_CHECK and relatives. The message is put together without <sstream>; the throw is torch's.
#pragma once
#include <lean/core.h>

#include <cstdio>
#include <cstring>
#include <exception>

namespace lean {

// Builds a message as an ostream would print its parts.
class Message {
 public:
  Message() = default;
  Message(const Message&) = delete;
  ~Message() { delete[] text_; }
  const char* c_str() const { return text_ ? text_ : ""; }

  void add(const char* s) { append(s, std::strlen(s)); }
  void add(char c) { append(&c, 1); }
  void add(bool b) { add(b ? '1' : '0'); }
  void add(int v) { format("%d", v); }
  void add(short v) { format("%d", v); }
  void add(long v) { format("%ld", v); }
  void add(long long v) { format("%lld", v); }
  void add(unsigned short v) { format("%u", v); }
  void add(unsigned v) { format("%u", v); }
  void add(unsigned long v) { format("%lu", v); }
  void add(unsigned long long v) { format("%llu", v); }
  void add(float v) { format("%g", static_cast<double>(v)); }
  void add(double v) { format("%g", v); }
  void add(ScalarType t) { add(toString(t)); }
  void add(DeviceType t) {
    add(t == DeviceType::CPU ? "cpu" : t == DeviceType::Meta ? "meta" : "cuda");
  }
  void add(Device d) {
    add(d.type());
    if (d.has_index()) add(':'), add(static_cast<int>(d.index()));
  }
  // A TypeMeta prints the C++ type's name.
  void add(TypeMeta t) {
    switch (t.toScalarType()) {
      case ScalarType::Byte: return add("unsigned char");
      case ScalarType::Char: return add("signed char");
      case ScalarType::Short: return add("short int");
      case ScalarType::Int: return add("int");
      case ScalarType::Long: return add("long int");
      case ScalarType::Half: return add("c10::Half");
      case ScalarType::Float: return add("float");
      case ScalarType::Double: return add("double");
      case ScalarType::Bool: return add("bool");
      case ScalarType::BFloat16: return add("c10::BFloat16");
      case ScalarType::QInt8: return add("c10::qint8");
      case ScalarType::QUInt8: return add("c10::quint8");
      case ScalarType::QInt32: return add("c10::qint32");
      case ScalarType::UInt16: return add("short unsigned int");
      case ScalarType::UInt32: return add("unsigned int");
      case ScalarType::UInt64: return add("long unsigned int");
      default: return add(t.toScalarType());
    }
  }
  void add(Layout l) { add(l == Layout::Strided ? "Strided" : "Sparse"); }
  void add(MemoryFormat f) {
    const char* const names[] = {"Contiguous", "Preserve", "ChannelsLast", "ChannelsLast3d"};
    add(names[static_cast<int>(f)]);
  }
  void add(const TensorOptions& o) {
    const char* const implied[] = {" (default)", ""};
    parts("TensorOptions(dtype=", o.dtype(), implied[o.has_dtype()], ", device=", o.device(),
          implied[o.has_device()], ", layout=", o.layout(), implied[o.has_layout()],
          ", requires_grad=", o.requires_grad() ? "true" : "false",
          implied[o.has_requires_grad()], ", pinned_memory=", o.pinned_memory() ? "true" : "false",
          implied[o.has_pinned_memory()], ", memory_format=");
    if (o.has_memory_format())
      add(o.memory_format_opt_().value);
    else
      add("(nullopt)");
    add(')');
  }
  void add(const Scalar& s) {
    if (s.isFloatingPoint()) return add(s.toDouble());
    if (s.isBoolean()) return add(s.toBool() ? "true" : "false");
    add(s.toLong());
  }
  template <class T>
  void add(const ArrayRef<T>& list) {
    add('[');
    for (size_t i = 0; i < list.size(); i++) {
      if (i) add(", ");
      add(list[i]);
    }
    add(']');
  }
  // What print.h knows to describe.
  template <class T, class = decltype(describe(*static_cast<Message*>(nullptr),
                                               *static_cast<const T*>(nullptr)))>
  void add(const T& value) {
    describe(*this, value);
  }
  // std::string and std::string_view.
  template <class S, class = decltype(static_cast<const S*>(nullptr)->find_first_of("x")),
            class = void>
  void add(const S& s) {
    append(s.data(), s.size());
  }

  template <class... Parts>
  Message& parts(const Parts&... p) {
    (add(p), ...);
    return *this;
  }

 private:
  template <class T>
  void format(const char* f, T v) {
    char buffer[32];
    append(buffer, static_cast<size_t>(std::snprintf(buffer, sizeof buffer, f, v)));
  }
  void append(const char* s, size_t n) {
    char* grown = new char[size_ + n + 1];
    if (size_) std::memcpy(grown, text_, size_);
    std::memcpy(grown + size_, s, n);
    size_ += n;
    grown[size_] = 0;
    delete[] text_;
    text_ = grown;
  }
  char* text_ = nullptr;
  size_t size_ = 0;
};

// For the Python errors that torch raises by exception types whose layout is its own business.
enum class Kind { Index, Value, Type, NotImplemented };
class KindError : public std::exception {
 public:
  KindError(Kind kind, const char* text) : kind_(kind), text_(new char[std::strlen(text) + 1]) {
    std::strcpy(text_, text);
  }
  KindError(const KindError& o) : KindError(o.kind_, o.text_) {}
  ~KindError() override { delete[] text_; }
  const char* what() const noexcept override { return text_; }
  Kind kind() const { return kind_; }

 private:
  Kind kind_;
  char* text_;
};

template <class... Parts>
[[noreturn]] void check_fail(const char* function, const char* file, uint32_t line,
                             const char* condition, const Parts&... parts) {
  Message m;
  if constexpr (sizeof...(Parts) == 0)
    m.parts("Expected ", condition, " to be true, but got false.  (Could this error message be "
            "improved?  If so, please report an enhancement request to PyTorch.)");
  else
    m.parts(parts...);
  torch_check_fail(function, file, line, m.c_str());
}

template <class... Parts>
[[noreturn]] void assert_fail(const char* function, const char* file, uint32_t line,
                              const char* condition, const Parts&... parts) {
  Message head, m;
  head.parts(condition, " INTERNAL ASSERT FAILED at \"", file, "\":", line,
             ", please report a bug to PyTorch. ");
  m.parts(parts...);
  torch_internal_assert_fail(function, file, line, head.c_str(), m.c_str());
}

template <class... Parts>
[[noreturn]] void kind_fail(Kind kind, const char* condition, const Parts&... parts) {
  Message m;
  if constexpr (sizeof...(Parts) == 0)
    m.parts("Expected ", condition, " to be true, but got false.  (Could this error message be "
            "improved?  If so, please report an enhancement request to PyTorch.)");
  else
    m.parts(parts...);
  throw KindError(kind, m.c_str());
}

template <class... Parts>
void warn(const char* function, const char* file, uint32_t line, const Parts&... parts) {
  Message m;
  m.parts(parts...);
  aoti_torch_warn(function, file, line, m.c_str());
}

}  // namespace lean

#define LEAN_WHERE __func__, __FILE__, static_cast<uint32_t>(__LINE__)
#define LEAN_UNLESS(cond) if (__builtin_expect(static_cast<bool>(!(cond)), 0))
#define TORCH_CHECK(cond, ...) \
  LEAN_UNLESS(cond) { ::lean::check_fail(LEAN_WHERE, #cond, ##__VA_ARGS__); }
#define TORCH_INTERNAL_ASSERT(cond, ...) \
  LEAN_UNLESS(cond) { ::lean::assert_fail(LEAN_WHERE, #cond, ##__VA_ARGS__); }
#ifdef NDEBUG
#define TORCH_INTERNAL_ASSERT_DEBUG_ONLY(...) \
  while (false) TORCH_INTERNAL_ASSERT(__VA_ARGS__)
#else
#define TORCH_INTERNAL_ASSERT_DEBUG_ONLY(...) TORCH_INTERNAL_ASSERT(__VA_ARGS__)
#endif
#define LEAN_KIND_CHECK(kind, cond, ...) \
  LEAN_UNLESS(cond) { ::lean::kind_fail(::lean::Kind::kind, #cond, ##__VA_ARGS__); }
#define TORCH_CHECK_INDEX(cond, ...) LEAN_KIND_CHECK(Index, cond, ##__VA_ARGS__)
#define TORCH_CHECK_VALUE(cond, ...) LEAN_KIND_CHECK(Value, cond, ##__VA_ARGS__)
#define TORCH_CHECK_TYPE(cond, ...) LEAN_KIND_CHECK(Type, cond, ##__VA_ARGS__)
#define TORCH_CHECK_NOT_IMPLEMENTED(cond, ...) LEAN_KIND_CHECK(NotImplemented, cond, ##__VA_ARGS__)
#define AT_ERROR(...)                                                              \
  do {                                                                             \
    ::lean::Message lean_m;                                                        \
    ::lean::check_fail(LEAN_WHERE, "false", lean_m.parts(__VA_ARGS__).c_str());     \
  } while (false)
#define AT_ASSERT(...)                  \
  do {                                  \
    TORCH_INTERNAL_ASSERT(__VA_ARGS__); \
  } while (false)
#define AT_ASSERTM(cond, ...)                   \
  do {                                          \
    TORCH_INTERNAL_ASSERT(cond, ##__VA_ARGS__); \
  } while (false)
#define TORCH_WARN(...) ::lean::warn(LEAN_WHERE, ##__VA_ARGS__)
#define TORCH_WARN_ONCE(...)                            \
  do {                                                  \
    static const bool lean_warned =                     \
        (::lean::warn(LEAN_WHERE, ##__VA_ARGS__), true); \
    (void)lean_warned;                                  \
  } while (false)
