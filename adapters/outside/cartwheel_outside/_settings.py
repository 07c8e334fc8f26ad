"""Which outside services an application uses, as configured: mail, text messages, payments."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, get_args

from cartwheel.ports import ConfigurationError, Ports
from cartwheel_outside._outbound import Outbound, Rules
from cartwheel_outside._sms import SECRET as SMS_SECRET
from cartwheel_outside._sms import Authentication, HttpSms, SmsProvider
from cartwheel_outside._smtp import PASSWORD, SmtpMailer, SmtpServer
from cartwheel_outside._stripe import API_BASE, API_KEY, StripeGateway

if TYPE_CHECKING:
    from cartwheel_outside._otel import Telemetry

PREFIX = "CARTWHEEL_"
_LISTS = frozenset({"allow_private"})


@dataclass(frozen=True, slots=True)
class Settings:
    """Names the outside services; what is empty stays as the adapter has it.

    Each field is a key of the configuration file and, in capitals after `CARTWHEEL_`, a variable of
    the environment, which comes first. Nothing secret stands here.
    """

    smtp_url: str = ""
    """See SmtpServer."""
    mail_from: str = ""
    sms_url: str = ""
    """See SmsProvider."""
    sms_from: str = ""
    sms_auth: str = "bearer"
    sms_user: str = ""
    payments: str = "test"
    """`test` for the built-in test gateway, or `stripe`."""
    stripe_api_base: str = API_BASE
    otel: str = "off"
    """`off`, `otlp` or `console`: where spans go."""
    allow_private: tuple[str, ...] = ()
    """Hosts that may be on a private network or this machine; in the environment with commas."""


def read_settings(configured: Mapping[str, object], environment: Mapping[str, str]) -> Settings:
    """Read the settings of a file's table, and of the environment, which comes first.

    Raises ConfigurationError for a key that there is none of, and for a value of the wrong type.
    """
    known = {field.name for field in fields(Settings)}
    unknown = sorted(set(configured) - known)
    if unknown:
        raise ConfigurationError(
            f"there is no setting '{unknown[0]}'; there are: {', '.join(sorted(known))}"
        )
    values: dict[str, object] = {}
    for name in known:
        variable = environment.get(PREFIX + name.upper())
        if variable is not None:
            values[name] = _split(variable) if name in _LISTS else variable
        elif name in configured:
            values[name] = _of_file(name, configured[name])
    return _checked(replace(Settings(), **values))  # type: ignore[arg-type]  # each was checked by name


def _split(variable: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in variable.split(",") if part.strip())


def _of_file(name: str, value: object) -> object:
    if name in _LISTS:
        if isinstance(value, list) and all(isinstance(part, str) for part in value):
            return tuple(value)
        raise ConfigurationError(f"setting '{name}' is no list of strings")
    if not isinstance(value, str):
        raise ConfigurationError(f"setting '{name}' is no string")
    return value


def _checked(settings: Settings) -> Settings:
    for name, allowed in (
        ("payments", ("test", "stripe")),
        ("otel", ("off", "otlp", "console")),
        ("sms_auth", get_args(Authentication)),
    ):
        value = getattr(settings, name)
        if value not in allowed:
            raise ConfigurationError(
                f"setting '{name}' is '{value}'; it may be: {', '.join(allowed)}"
            )
    for url, sender in (("smtp_url", "mail_from"), ("sms_url", "sms_from")):
        if getattr(settings, url) and not getattr(settings, sender):
            raise ConfigurationError(
                f"setting '{url}' needs '{sender}', whom messages are from; "
                f"set it too, or as {PREFIX}{sender.upper()}"
            )
    return settings


def replacing(settings: Settings) -> Callable[[Ports], Ports] | None:
    """Give what puts the configured services into a host's ports; None when there are none.

    It is `HostOptions.replace`. Raises ConfigurationError at the host's opening for a URL that no
    call may follow, or a library that is not installed.
    """
    if not (settings.smtp_url or settings.sms_url or settings.payments == "stripe"):
        return None
    rules = Rules(frozenset(settings.allow_private))

    def put(ports: Ports) -> Ports:
        if settings.smtp_url:
            server = SmtpServer(settings.smtp_url, settings.mail_from)
            ports = replace(ports, mailer=SmtpMailer(server, ports.secrets, ports.clock, rules))
        if settings.sms_url:
            provider = SmsProvider(
                settings.sms_url,
                settings.sms_from,
                _authentication(settings.sms_auth),
                settings.sms_user,
            )
            sms = HttpSms(provider, ports.secrets, ports.clock, Outbound(rules))
            ports = replace(ports, sms=sms)
        if settings.payments == "stripe":
            gateway = StripeGateway(
                ports.secrets,
                ports.clock,
                Outbound(rules, timeout=30.0),
                api_base=settings.stripe_api_base,
            )
            gateway.check()
            ports = replace(ports, payments=gateway)
        return ports

    return put


def from_environment(ports: Ports) -> Ports:
    """Put the services that the environment names into a host's ports, in a deployed function."""
    put = replacing(read_settings({}, os.environ))
    return ports if put is None else put(ports)


def replaced_by(settings: Settings) -> dict[str, tuple[str, ...]]:
    """Name the ports that the configured services take the place of, and their secrets."""
    found: dict[str, tuple[str, ...]] = {}
    if settings.smtp_url:
        found["mailer"] = (PASSWORD,) if "@" in settings.smtp_url else ()
    if settings.sms_url:
        found["sms"] = (SMS_SECRET,)
    if settings.payments == "stripe":
        found["payments"] = (API_KEY,)
    return found


def tracing(settings: Settings, service: str) -> Telemetry | None:
    """Give the telemetry that the settings ask for; None for none.

    Raises ConfigurationError when OpenTelemetry is not installed.
    """
    if settings.otel == "off":
        return None
    try:
        from cartwheel_outside._otel import telemetry_to

        return telemetry_to(settings.otel, service)
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            f"spans need OpenTelemetry ({error.name}): pip install 'cartwheel[otel]'"
        ) from error


def _authentication(name: str) -> Authentication:
    match name:
        case "basic" | "signed":
            return name
        case _:
            return "bearer"
