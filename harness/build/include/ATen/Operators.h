#pragma once
#include <lean/tensor.h>
