#pragma once
#include <lean/dispatch.h>
#include <lean/tensor.h>
