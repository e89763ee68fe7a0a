"""What the server imports that all children are forked from, so that none has to.

CUDA does not work in the child of a process that has initialised it, so nothing here may ask for
a GPU. torch's build machinery does, when it finds a CUDA toolkit, only to warn if there is none.
"""

# ruff: noqa: E402, F401

import gc
import os

from harness import orphans

# It sees that its parent is gone when all is imported, and not before.
orphans.die_with_parent(True)
# Importing makes hundreds of thousands of objects that stay: looking for garbage among them takes a
# sixth of the time, and would take its time in every child again.
gc.disable()

import torch

# Meant for the server's own imports: a script that a child starts may want its folder.
os.environ.pop("PYTHONSAFEPATH", None)

_asks_for_a_gpu = torch.cuda.is_available
torch.cuda.is_available = lambda: True
try:
    import torch.utils.cpp_extension
finally:
    torch.cuda.is_available = _asks_for_a_gpu

import harness.judge
import harness.worker

gc.freeze()
gc.enable()
orphans.die_with_parent(False)
