#pragma once
#include <lean/accessor.h>
