#pragma once
#include <lean/tensor.h>

namespace at::native {
using lean::canUse32BitIndexMath;
}
