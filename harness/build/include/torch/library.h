#pragma once
#include <lean/library.h>
