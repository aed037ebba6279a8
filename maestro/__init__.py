"""The ground floor: what every other floor shares. Knows no cloud, no GitHub, no Rego."""

__version__ = "0.1.0"
