"""The corpus of the workflow language: small programs, each a claim that every engine must meet.

`PROGRAMS` are the claims, `run_program(program, driver)` checks one. A driver plays a program:
`interpreter()` on the reference interpreter, `on_host(host)` on an adapter's own engine.
`cartwheel.testing.WorkflowLanguageContract` is the whole as a test class.
"""

from cartwheel.testing.corpus._all import ONE_A_RULE, PROGRAMS
from cartwheel.testing.corpus._expected import (
    Called,
    Pattern,
    do,
    first_difference,
    par,
    seq,
    tries,
)
from cartwheel.testing.corpus._playing import (
    Driver,
    corpus_app,
    interpreter,
    on_host,
    run_program,
)
from cartwheel.testing.corpus._program import Order, Program
from cartwheel.testing.corpus._rules import Rule
from cartwheel.testing.corpus._verdict import Played, differences

__all__ = [
    "ONE_A_RULE",
    "PROGRAMS",
    "Called",
    "Driver",
    "Order",
    "Pattern",
    "Played",
    "Program",
    "Rule",
    "corpus_app",
    "differences",
    "do",
    "first_difference",
    "interpreter",
    "on_host",
    "par",
    "run_program",
    "seq",
    "tries",
]
