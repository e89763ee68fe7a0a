// The standard headers that a source names, so that it pays for no others. lean.py defines the
// macros from the words in the source; torch's own headers would bring every one of these.
#pragma once
#ifdef LEAN_ALGORITHM
#include <algorithm>
#endif
#ifdef LEAN_ARRAY
#include <array>
#endif
#ifdef LEAN_ATOMIC
#include <atomic>
#endif
#ifdef LEAN_CASSERT
#include <cassert>
#endif
#if defined(LEAN_CFLOAT) && defined(__CUDACC__)
#include <cfloat>  // which comes with torch's headers by way of CUDA's alone
#endif
#ifdef LEAN_CHRONO
#include <chrono>
#endif
#ifdef LEAN_BITSET
#include <bitset>
#endif
#ifdef LEAN_CLIMITS
#include <climits>
#endif
#ifdef LEAN_CMATH
#include <cmath>
#endif
#ifdef LEAN_COMPLEX
#include <complex>
#endif
#ifdef LEAN_CSTDIO
#include <cstdio>
#endif
#ifdef LEAN_CSTDLIB
#include <cstdlib>
#endif
#ifdef LEAN_CSTRING
#include <cstring>
#endif
#ifdef LEAN_DEQUE
#include <deque>
#endif
#ifdef LEAN_FUNCTIONAL
#include <functional>
#endif
#ifdef LEAN_IOMANIP
#include <iomanip>
#endif
#ifdef LEAN_IOSTREAM
#include <iostream>
#endif
#ifdef LEAN_LIMITS
#include <limits>
#endif
#ifdef LEAN_MAP
#include <map>
#endif
#ifdef LEAN_MEMORY
#include <memory>
#endif
#ifdef LEAN_MUTEX
#include <mutex>
#endif
#ifdef LEAN_NUMERIC
#include <numeric>
#endif
#ifdef LEAN_OPTIONAL
#include <optional>
#endif
#ifdef LEAN_SET
#include <set>
#endif
#ifdef LEAN_SSTREAM
#include <sstream>
#endif
#ifdef LEAN_STDEXCEPT
#include <stdexcept>
#endif
#ifdef LEAN_STRING
#include <string>
#endif
#ifdef LEAN_STRING_VIEW
#include <string_view>
#endif
#ifdef LEAN_THREAD
#include <thread>
#endif
#ifdef LEAN_TUPLE
#include <tuple>
#endif
#ifdef LEAN_TYPE_TRAITS
#include <type_traits>
#endif
#ifdef LEAN_UNORDERED_MAP
#include <unordered_map>
#endif
#ifdef LEAN_UNORDERED_SET
#include <unordered_set>
#endif
#ifdef LEAN_UTILITY
#include <utility>
#endif
#ifdef LEAN_VARIANT
#include <variant>
#endif
#if defined(LEAN_VECTOR) || defined(LEAN_VEC)
#include <vector>
#endif
