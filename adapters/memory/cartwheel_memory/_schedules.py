"""When each schedule last ran, in memory."""

from __future__ import annotations

from cartwheel_memory._disk import MemoryDisk


class MemoryTicks:
    """Keeps the schedules' last ticks on the disk."""

    def __init__(self, disk: MemoryDisk) -> None:
        self._disk = disk

    def last(self, name: str) -> float | None:
        """Give when the schedule last ran."""
        with self._disk.lock:
            return self._disk.ticks.get(name)

    def mark(self, name: str, at: float) -> None:
        """Note that the schedule's tick of that time is done."""
        with self._disk.lock:
            self._disk.ticks[name] = at
