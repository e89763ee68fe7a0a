"""How long does a call take?"""
