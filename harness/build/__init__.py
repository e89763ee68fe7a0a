"""From a kernel's source to a loaded extension."""
