"""How often the shop's tasks are tried: a customer waits for some, and some must be done."""

from __future__ import annotations

from cartwheel.workflow import RetryPolicy

PATIENT = RetryPolicy(attempts=8, interval=1, rate=2, cap=60)
"""For what should be done and whose failure harms nobody at once."""
PERSISTENT = RetryPolicy(attempts=30, interval=1, rate=2, cap=300)
"""For what must be done: compensations, confirmation and capture, over more than an hour."""
EAGER = RetryPolicy(attempts=6, interval=1, rate=2, cap=5)
"""For what a customer waits for."""
