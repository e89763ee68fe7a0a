#pragma once
#include <lean/pybind.h>
