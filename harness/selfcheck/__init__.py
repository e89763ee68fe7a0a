"""Measures the tool itself."""
