"""The conformance kit: one contract class per port, faults and recorders, and a pytest plugin.

An adapter's tests derive from a contract and supply its fixture; see docs/adapters.md. Names load
on first use, so that the pytest plugin costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cartwheel.testing._base import Contract, OpenHost
    from cartwheel.testing._deadletters import DeadLettersContract
    from cartwheel.testing._durability import DurabilityContract
    from cartwheel.testing._eventbus import EventBusContract
    from cartwheel.testing._httpgateway import HttpGatewayContract, Send, Serve, target_of
    from cartwheel.testing._mailer import MailerContract, SmsContract
    from cartwheel.testing._paymentgateway import PaymentGatewayContract
    from cartwheel.testing._queue import QueueContract
    from cartwheel.testing._scheduler import SchedulerContract
    from cartwheel.testing._secrets import SecretsContract
    from cartwheel.testing._store import StoreContract
    from cartwheel.testing._time import ClockContract, IdsContract, RandomnessContract
    from cartwheel.testing._workflowlanguage import WorkflowLanguageContract
    from cartwheel.testing._workflowruntime import WorkflowRuntimeContract
    from cartwheel.testing.faults import Crash, Faults, Recorded, Recorder

_HOMES = {
    "_base": ("Contract", "OpenHost"),
    "_deadletters": ("DeadLettersContract",),
    "_durability": ("DurabilityContract",),
    "_eventbus": ("EventBusContract",),
    "_httpgateway": ("HttpGatewayContract", "Send", "Serve", "target_of"),
    "_mailer": ("MailerContract", "SmsContract"),
    "_paymentgateway": ("PaymentGatewayContract",),
    "_queue": ("QueueContract",),
    "_scheduler": ("SchedulerContract",),
    "_secrets": ("SecretsContract",),
    "_store": ("StoreContract",),
    "_time": ("ClockContract", "IdsContract", "RandomnessContract"),
    "_workflowruntime": ("WorkflowRuntimeContract",),
    "_workflowlanguage": ("WorkflowLanguageContract",),
    "faults": ("Crash", "Faults", "Recorded", "Recorder"),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "ClockContract",
    "Contract",
    "Crash",
    "DeadLettersContract",
    "DurabilityContract",
    "EventBusContract",
    "Faults",
    "HttpGatewayContract",
    "IdsContract",
    "MailerContract",
    "OpenHost",
    "PaymentGatewayContract",
    "QueueContract",
    "RandomnessContract",
    "Recorded",
    "Recorder",
    "SchedulerContract",
    "SecretsContract",
    "Send",
    "Serve",
    "SmsContract",
    "StoreContract",
    "WorkflowLanguageContract",
    "WorkflowRuntimeContract",
    "target_of",
]


def __getattr__(name: str) -> object:
    home = _HOME_OF.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(import_module(f"{__name__}.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
