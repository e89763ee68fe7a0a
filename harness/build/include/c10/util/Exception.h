#pragma once
#include <lean/check.h>
