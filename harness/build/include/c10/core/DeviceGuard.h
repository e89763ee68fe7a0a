#pragma once
#include <lean/guards.h>
