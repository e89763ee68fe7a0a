"""Is an output right?"""
