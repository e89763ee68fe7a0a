// torch::RegisterOperators, the older way to register operators: each `op` is a TORCH_LIBRARY of
// one operator, which lasts as long as the object. limits.py leaves to the real headers whatever is
// not a static object of plain names, for a name with a schema of its own is checked against the
// function there.
#pragma once
#include <lean/library.h>

extern "C" int32_t aoti_torch_delete_library_object(TorchLibraryOpaque*);

namespace lean {

class RegisterOperators {
 public:
  RegisterOperators() = default;
  template <class F, class = OfThisSource>
  explicit RegisterOperators(const char* name, F f) {
    add(name, f);
  }
  RegisterOperators(RegisterOperators&& o) noexcept : last_(o.last_) { o.last_ = nullptr; }
  ~RegisterOperators() {
    while (last_) {
      Entry* entry = last_;
      last_ = entry->before;
      aoti_torch_delete_library_object(entry->library);
      delete entry;
    }
  }
  template <class F, class = OfThisSource>
  RegisterOperators&& op(const char* name, F f) && {
    add(name, f);
    return static_cast<RegisterOperators&&>(*this);
  }

 private:
  struct Entry {
    TorchLibraryOpaque* library;
    Entry* before;
  };
  template <class F>
  void add(const char* name, F f) {
    Message space;
    for (const char* c = name; *c && *c != ':'; c++) space.add(*c);
    TorchLibraryOpaque* library = nullptr;
    const int32_t failed =
        aoti_torch_library_init_fragment(space.c_str(), __FILE__, __LINE__, &library);
    Library(library, failed).def(name, f);
    last_ = new Entry{library, last_};
  }
  Entry* last_ = nullptr;
};

}  // namespace lean

namespace c10 {
using lean::RegisterOperators;
}
namespace torch {
using lean::RegisterOperators;
}
