#pragma once
#include <tuple>  // which it uses and does not include
#include_next <ATen/native/Math.h>  // the real one
