// `<<` on an ostream for tensors and what describes them; in TORCH_CHECK, for tensors too.
#pragma once
#include <lean/tensor.h>

#include <ostream>
#include <sstream>

namespace lean {

std::ostream& print(std::ostream&, Handle, int64_t line_size)
    LEAN_SYMBOL("_ZN2at5printERSoRKNS_6TensorEl");

inline std::ostream& operator<<(std::ostream& out, const Tensor& t) {
  return print(out, t.handle(), 80);
}
inline void describe(Message& m, const Tensor& t) {
  std::ostringstream text;
  text << t;
  m.add(text.str());
}
#define LEAN_PRINT(T)                                           \
  inline std::ostream& operator<<(std::ostream& out, const T& value) { \
    Message m;                                                  \
    m.add(value);                                               \
    return out << m.c_str();                                    \
  }
LEAN_PRINT(ScalarType)
LEAN_PRINT(DeviceType)
LEAN_PRINT(Device)
LEAN_PRINT(Layout)
LEAN_PRINT(MemoryFormat)
LEAN_PRINT(TypeMeta)
LEAN_PRINT(TensorOptions)
LEAN_PRINT(DeprecatedTypeProperties)
LEAN_PRINT(Scalar)
#undef LEAN_PRINT
template <class T>
std::ostream& operator<<(std::ostream& out, const ArrayRef<T>& list) {
  out << '[';
  for (size_t i = 0; i < list.size(); i++) out << (i ? ", " : "") << list[i];
  return out << ']';
}

}  // namespace lean
