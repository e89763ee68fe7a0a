"""PARENT: one run, row by row."""
