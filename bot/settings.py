"""Everything the environment may set, read once into one frozen object (`docs/settings.md` lists them).

A channel with none of its settings is off; with half of them the program refuses to start and names the missing one.
"""

import difflib
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final, Literal
from urllib.parse import urlsplit

import phonenumbers
from dotenv import dotenv_values
from dotenv.parser import parse_stream
from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator

PREFIX: Final = "DOORSTEP_"


class SettingsError(ValueError):
    """One or more settings are missing or wrong; each line of the message names the setting, where it stands and why."""

    policy: str | None = None
    """The policy that was named all the same, for whoever wants to check it too."""


class Settings(BaseModel):
    """The settings of one running Doorstep. Field names are the variables' names without `DOORSTEP_`, in lower case."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    policy: str = Field(
        "berwickshire", description="Whose policy: berwickshire, east_lothian, or a path to a policy file."
    )
    database_url: str = Field(
        "sqlite:///data/doorstep.db", description="Where everything is kept: sqlite:///PATH or postgresql://…"
    )
    files_dir: str = Field(
        "data/files",
        description="The folder where photos and voice notes are kept; shared by all processes of one Doorstep.",
    )
    public_url: str | None = Field(
        None, description="The address providers and tenants reach Doorstep at, such as https://chat.example.org."
    )
    secret_key: SecretStr | None = Field(
        None, description="Signs sessions and links: 32 characters or more, kept secret."
    )
    twilio_account_sid: str | None = Field(None, description="Twilio account, AC…")
    twilio_auth_token: SecretStr | None = Field(
        None, description="Twilio auth token: proves that a webhook is Twilio's."
    )
    twilio_from: str | None = Field(
        None, description="The number (+44…) or Messaging Service (MG…) that texts come from."
    )
    twilio_voice_from: str | None = Field(
        None,
        description="The number (+44…) that calls to people on call come from; needed where texts come from an MG….",
    )
    twilio_api_url: str | None = Field(
        None, description="Another address for Twilio's API: a regional edge or a proxy."
    )
    telegram_token: SecretStr | None = Field(None, description="The Telegram bot's token, from BotFather.")
    telegram_secret: SecretStr | None = Field(None, description="The secret Telegram repeats with every webhook call.")
    telegram_api_url: str | None = Field(None, description="Another address for Telegram's Bot API.")
    rasa_url: str | None = Field(
        None, description="A Rasa server that owns the dialogue. Not supported by this release."
    )
    emergency_line_call: str | None = Field(
        None, description="The number that Doorstep rings to hand an emergency over."
    )
    emergency_line_text: str | None = Field(None, description="The number that Doorstep texts an emergency to.")
    emergency_line_email: str | None = Field(None, description="The mailbox that an emergency is sent to.")
    emergency_line_webhook: str | None = Field(None, description="The address that an emergency is posted to.")
    emergency_line_webhook_secret: SecretStr | None = Field(
        None, description="Signs what is posted to the 24-hour line's webhook: 32 characters or more, shared with it."
    )
    smtp_url: str | None = Field(
        None,
        description="The mail server for email to staff and the 24-hour line: smtp://USER:PASSWORD@HOST:587?from=ADDRESS",
    )
    api_per_minute: int = Field(
        300, ge=1, le=100_000, description="How many requests a minute one API token may make, in each process."
    )
    webhook_days: int = Field(
        3,
        ge=1,
        le=30,
        description="After how many days of nothing but failure a webhook is disabled, and staff are told.",
    )
    dev: bool = Field(
        False, description="1 switches on the phone simulator and local stand-ins. Never on a public address."
    )
    log: Literal["debug", "info", "warning", "error"] = Field("info", description="How much is logged.")

    @field_validator("public_url", "twilio_api_url", "telegram_api_url", "rasa_url", "emergency_line_webhook")
    @classmethod
    def _is_web_address(cls, value: str | None) -> str | None:
        if value is None:
            return None
        parts = urlsplit(value)
        if parts.scheme not in {"http", "https"} or not parts.netloc:
            raise ValueError("must be an address that starts with https:// or http://")
        return value.rstrip("/")

    @field_validator("database_url")
    @classmethod
    def _is_database(cls, value: str) -> str:
        if not value.startswith(("sqlite:///", "postgresql://", "postgres://")):
            raise ValueError("must start with sqlite:/// or postgresql://")
        return value

    @field_validator("emergency_line_call", "emergency_line_text", "twilio_voice_from")
    @classmethod
    def _is_number(cls, value: str | None) -> str | None:
        """Numbers are kept in their international form, which is how Twilio gives those that write to us."""
        if value is None:
            return None
        try:
            number = phonenumbers.parse(value, "GB")
        except phonenumbers.NumberParseException as error:
            raise ValueError("must be a telephone number, such as +44 1361 884000") from error
        if not phonenumbers.is_possible_number(number):
            raise ValueError("must be a telephone number, such as +44 1361 884000")
        return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)

    @field_validator("emergency_line_email")
    @classmethod
    def _is_mailbox(cls, value: str | None) -> str | None:
        if value is not None and not re.fullmatch(r"[^@\s]+@[^@\s]+", value):
            raise ValueError("must be an email address")
        return value

    @field_validator("smtp_url")
    @classmethod
    def _is_mail_server(cls, value: str | None) -> str | None:
        if value is not None and (
            urlsplit(value).scheme not in {"smtp", "smtps"} or not urlsplit(value).hostname or "from=" not in value
        ):
            raise ValueError("must look like smtp://USER:PASSWORD@HOST:587?from=ADDRESS, or smtps://…")
        return value

    @field_validator("secret_key", "emergency_line_webhook_secret")
    @classmethod
    def _is_long(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and len(value.get_secret_value()) < 32:
            raise ValueError("must have 32 characters or more")
        return value

    @property
    def sms_on(self) -> bool:
        return self.twilio_account_sid is not None

    @property
    def telegram_on(self) -> bool:
        return self.telegram_token is not None


def load(environ: Mapping[str, str] | None = None, env_file: Path | None = Path(".env")) -> Settings:
    """Read settings from the environment and, below it, from a `.env` file.

    Raises SettingsError that names every fault at once: unknown names (with the nearest known one), values that do not
    fit, channels that are half set up.
    """
    environ = os.environ if environ is None else environ
    lines: dict[str, str] = {}
    values: dict[str, str] = {}
    if env_file is not None and env_file.is_file():
        lines = _line_numbers(env_file)
        values.update({name: value for name, value in dotenv_values(env_file).items() if value})
    values.update({name: value for name, value in environ.items() if value})
    ours = {name: value for name, value in values.items() if name.startswith(PREFIX)}
    ours = {name: value for name, value in ours.items() if name not in {"DOORSTEP_REQUIRE"}}

    def place(name: str) -> str:
        return "environment" if name in environ else lines.get(name, "environment")

    faults = [
        f"{place(name)}: {name} is not a setting{_suggestion(name)}"
        for name in sorted(ours)
        if name.removeprefix(PREFIX).lower() not in Settings.model_fields
    ]
    known = {name: value for name, value in ours.items() if name.removeprefix(PREFIX).lower() in Settings.model_fields}
    settings: Settings | None = None
    try:
        settings = Settings.model_validate({name.removeprefix(PREFIX).lower(): value for name, value in known.items()})
    except ValidationError as invalid:
        for fault in invalid.errors():
            name = PREFIX + str(fault["loc"][0]).upper()
            faults.append(f"{place(name)}: {name} {fault['msg'].removeprefix('Value error, ')}")
    if settings is not None:
        faults.extend(_half_set(settings))
    if faults or settings is None:
        error = SettingsError("\n".join(faults))
        error.policy = known.get(f"{PREFIX}POLICY")
        raise error
    return settings


def _half_set(settings: Settings) -> list[str]:
    faults = []
    twilio = {
        "DOORSTEP_TWILIO_ACCOUNT_SID": settings.twilio_account_sid,
        "DOORSTEP_TWILIO_AUTH_TOKEN": settings.twilio_auth_token,
        "DOORSTEP_TWILIO_FROM": settings.twilio_from,
    }
    if any(twilio.values()) and not settings.public_url:
        faults.append("text messages are on, but DOORSTEP_PUBLIC_URL is missing: Twilio signs the address it calls")
    if any(twilio.values()):
        faults.extend(
            f"text messages are half set up: {name} is missing" for name, value in twilio.items() if not value
        )
    if settings.telegram_token is None and settings.telegram_secret is not None:
        faults.append("Telegram is half set up: DOORSTEP_TELEGRAM_TOKEN is missing")
    if settings.telegram_token is not None and settings.public_url and settings.telegram_secret is None:
        faults.append(
            "Telegram is half set up: DOORSTEP_TELEGRAM_SECRET is missing (with DOORSTEP_PUBLIC_URL, messages come by webhook)"
        )
    if settings.secret_key is None and not settings.dev:
        faults.append("DOORSTEP_SECRET_KEY is missing: without it sessions and links could be forged")
    faults.extend(_half_set_line(settings))
    if settings.rasa_url is not None:
        faults.append("DOORSTEP_RASA_URL is set, but this release has only the embedded dialogue engine; remove it")
    return faults


def _half_set_line(settings: Settings) -> list[str]:
    """What the routes to the 24-hour line need that is not there."""
    faults = []
    for name, number in (("CALL", settings.emergency_line_call), ("TEXT", settings.emergency_line_text)):
        if number is not None and not settings.sms_on and not settings.dev:
            faults.append(f"DOORSTEP_EMERGENCY_LINE_{name} is set, but DOORSTEP_TWILIO_ACCOUNT_SID is missing")
    sender = settings.twilio_voice_from or settings.twilio_from
    if settings.emergency_line_call is not None and sender is not None and not sender.startswith("+"):
        faults.append(
            "DOORSTEP_EMERGENCY_LINE_CALL is set, but DOORSTEP_TWILIO_VOICE_FROM is missing: only a number can ring"
        )
    if settings.emergency_line_email is not None and settings.smtp_url is None:
        faults.append("DOORSTEP_EMERGENCY_LINE_EMAIL is set, but DOORSTEP_SMTP_URL is missing")
    if settings.emergency_line_webhook is not None and settings.emergency_line_webhook_secret is None:
        faults.append("DOORSTEP_EMERGENCY_LINE_WEBHOOK is set, but DOORSTEP_EMERGENCY_LINE_WEBHOOK_SECRET is missing")
    return faults


def _suggestion(name: str) -> str:
    known = [PREFIX + field.upper() for field in Settings.model_fields]
    nearest = difflib.get_close_matches(name, known, n=1)
    return f"; did you mean {nearest[0]}?" if nearest else ""


def _line_numbers(env_file: Path) -> dict[str, str]:
    with env_file.open(encoding="utf-8") as stream:
        return {
            binding.key: f"{env_file}:{binding.original.line}"
            for binding in parse_stream(stream)
            if binding.key is not None
        }
