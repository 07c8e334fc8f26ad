"""Services outside the shop that an adapter does not bring: SMTP, an SMS provider, Stripe.

They are ports to be put in place of an adapter's own, by `HostOptions(replace=...)`.
"""

from cartwheel_outside._outbound import (
    Answer,
    ForbiddenUrl,
    NoAnswer,
    NotSent,
    Outbound,
    Rules,
)
from cartwheel_outside._settings import Settings, read_settings, replacing
from cartwheel_outside._sms import HttpSms, SmsProvider
from cartwheel_outside._smtp import SmtpMailer, SmtpServer
from cartwheel_outside._stripe import StripeGateway

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
    "read_settings",
    "replacing",
]
