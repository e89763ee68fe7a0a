#pragma once
#include <lean/torch.h>
