#pragma once
#include <lean/torch.h>
#include <lean/library.h>
