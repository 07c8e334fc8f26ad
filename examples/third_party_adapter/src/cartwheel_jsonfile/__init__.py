"""A Cartwheel adapter whose rows are one JSON file that people can read and compare."""

from cartwheel_jsonfile._store import JsonFileStore

__all__ = ["JsonFileStore"]
