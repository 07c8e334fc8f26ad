"""Services outside the shop that an adapter does not bring: SMTP, an SMS provider, Stripe.

They are ports to be put in place of an adapter's own, by `HostOptions(replace=...)`; `tracing`
gives spans, and needs the extra `otel`.
"""

from typing import TYPE_CHECKING

from cartwheel._lazy import attach
from cartwheel_outside._outbound import (
    Answer,
    ForbiddenUrl,
    NoAnswer,
    NotSent,
    Outbound,
    Rules,
)
from cartwheel_outside._settings import (
    Settings,
    from_environment,
    read_settings,
    replaced_by,
    replacing,
    tracing,
)
from cartwheel_outside._sms import HttpSms, SmsProvider
from cartwheel_outside._smtp import SmtpMailer, SmtpServer
from cartwheel_outside._stripe import StripeGateway

if TYPE_CHECKING:
    from cartwheel_outside._otel import Telemetry

# It needs OpenTelemetry, which is an extra.
__getattr__, __dir__ = attach(__name__, {"_otel": ("Telemetry",)})

__all__ = [
    "Answer",
    "ForbiddenUrl",
    "HttpSms",
    "NoAnswer",
    "NotSent",
    "Outbound",
    "Rules",
    "Settings",
    "SmsProvider",
    "SmtpMailer",
    "SmtpServer",
    "StripeGateway",
    "Telemetry",
    "from_environment",
    "read_settings",
    "replaced_by",
    "replacing",
    "tracing",
]
