"""Settings are right, or the program says which is wrong, where and why."""

from pathlib import Path

import pytest

from bot.settings import Settings, SettingsError, load

GOOD = {"DOORSTEP_SECRET_KEY": "s" * 32}
TWILIO = {
    "DOORSTEP_TWILIO_ACCOUNT_SID": "AC1", "DOORSTEP_TWILIO_AUTH_TOKEN": "t", "DOORSTEP_TWILIO_FROM": "+447700900000",
    "DOORSTEP_PUBLIC_URL": "https://chat.example.org",
}  # fmt: skip


def fault(environ: dict[str, str], env_file: Path | None = None) -> str:
    with pytest.raises(SettingsError) as caught:
        load(environ, env_file)
    return str(caught.value)


def test_without_channels_a_secret_is_enough() -> None:
    settings = load(GOOD, None)
    assert not settings.sms_on
    assert not settings.telegram_on


def test_a_missing_secret_refuses_to_start() -> None:
    assert "DOORSTEP_SECRET_KEY is missing" in fault({})


@pytest.mark.parametrize("name", sorted(TWILIO))
def test_half_a_channel_is_refused_by_the_name_of_the_missing_half(name: str) -> None:
    assert name in fault(GOOD | {key: value for key, value in TWILIO.items() if key != name})


def test_a_telegram_webhook_without_its_secret_is_refused() -> None:
    told = fault(GOOD | {"DOORSTEP_TELEGRAM_TOKEN": "1:x", "DOORSTEP_PUBLIC_URL": "https://chat.example.org"})
    assert "DOORSTEP_TELEGRAM_SECRET" in told


def test_an_unknown_setting_is_refused_with_the_nearest_known_one() -> None:
    assert "did you mean DOORSTEP_POLICY?" in fault(GOOD | {"DOORSTEP_POLCY": "berwickshire"})


def test_a_fault_in_the_file_is_named_by_file_and_line(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text(f"# a comment\nDOORSTEP_SECRET_KEY={'s' * 32}\nDOORSTEP_LOG=loud\n")
    assert fault({}, file).startswith(f"{file}:3: DOORSTEP_LOG")


def test_every_fault_is_told_at_once() -> None:
    assert len(fault({"DOORSTEP_LOG": "loud", "DOORSTEP_PUBLIC_URL": "chat.example.org"}).splitlines()) == 2


def test_the_environment_outranks_the_file(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text("DOORSTEP_LOG=debug\n")
    assert load(GOOD | {"DOORSTEP_LOG": "error"}, file).log == "error"


def test_secrets_do_not_show_when_settings_are_printed() -> None:
    assert "s" * 32 not in repr(load(GOOD, None))


def test_every_setting_says_what_it_is_for() -> None:
    assert all(field.description for field in Settings.model_fields.values())


def test_a_fault_elsewhere_does_not_hide_which_policy_was_named() -> None:
    with pytest.raises(SettingsError) as refused:
        load({"DOORSTEP_POLICY": "east_lothian", "DOORSTEP_LOG": "loud"}, None)
    assert refused.value.policy == "east_lothian"
