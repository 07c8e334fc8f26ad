"""The memory adapter: everything in one process, with virtual time, for unit tests."""

from cartwheel_memory._disk import MemoryDisk
from cartwheel_memory._host import MemoryHost
from cartwheel_memory._time import CountedIds, SeededRandomness, VirtualClock

__all__ = ["CountedIds", "MemoryDisk", "MemoryHost", "SeededRandomness", "VirtualClock"]
