"""`tocsin publish | watch | status | doctor`."""

from tocsin.cli.main import main

__all__ = ["main"]
