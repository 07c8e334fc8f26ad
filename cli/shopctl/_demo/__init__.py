"""The demonstration: a customer's day over HTTP, with a crash, and the books checked after it."""

from shopctl._demo._play import play

__all__ = ["play"]
