"""The conformance kit: one contract class per port, faults and recorders, and a pytest plugin.

An adapter's tests derive from a contract and supply its fixture; see docs/adapters.md. Names load
on first use, so that the pytest plugin costs nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cartwheel._lazy import attach

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

__getattr__, __dir__ = attach(
    __name__,
    {
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
        "_workflowlanguage": ("WorkflowLanguageContract",),
        "_workflowruntime": ("WorkflowRuntimeContract",),
        "faults": ("Crash", "Faults", "Recorded", "Recorder"),
    },
)

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
