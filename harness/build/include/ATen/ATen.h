#pragma once
#include <lean/aten.h>
