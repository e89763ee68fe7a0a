#pragma once
#include <lean/dispatch.h>
