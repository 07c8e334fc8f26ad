"""The crash harness: a checkout is killed at every port call, recovered, and audited.

`scenario` says what the customer does and what must be true in the end, `worlds` runs it in memory
and on SQLite with a real process and a real SIGKILL, `bugs` plants mistakes that the harness must
find.
"""
