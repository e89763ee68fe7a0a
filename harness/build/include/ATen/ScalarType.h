#pragma once
#include <lean/core.h>
