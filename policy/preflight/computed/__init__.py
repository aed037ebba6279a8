"""Builtins that regopy lacks or gets wrong, computed here. See ``values`` for how they are asked and ``table`` for
which."""
