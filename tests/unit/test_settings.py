"""Settings refuse what is unsafe or unknown, and say why."""

from __future__ import annotations

import pytest

from delineate.settings import SettingsError, is_loopback, load_settings


def test_defaults_listen_on_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DELINEATE_HOST", raising=False)
    settings = load_settings()
    assert is_loopback(settings.host)
    assert settings.model == "demo"


def test_an_unknown_prefixed_variable_refuses_to_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DELINEATE_ARCHIV_URL", "http://127.0.0.1/dicom-web")
    with pytest.raises(SettingsError, match="DELINEATE_ARCHIV_URL"):
        load_settings()


def test_another_address_without_tokens_refuses_to_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DELINEATE_HOST", "0.0.0.0")  # noqa: S104
    with pytest.raises(SettingsError, match="DELINEATE_TOKENS"):
        load_settings()
    monkeypatch.setenv("DELINEATE_TOKENS", '{"Doe^Jane": "0123456789abcdef"}')
    assert load_settings().tokens["Doe^Jane"].get_secret_value() == "0123456789abcdef"


@pytest.mark.parametrize("tokens", ['{"a": "short"}', '{"a": "0123456789abcdef", "b": "0123456789abcdef"}', "no json"])
def test_weak_tokens_refuse_to_start_and_are_not_printed(monkeypatch: pytest.MonkeyPatch, tokens: str) -> None:
    monkeypatch.setenv("DELINEATE_TOKENS", tokens)
    with pytest.raises(SettingsError) as caught:
        load_settings()
    assert "0123456789abcdef" not in str(caught.value)


@pytest.mark.parametrize(
    ("host", "expected"),
    [("127.0.0.9", True), ("::1", True), ("localhost", True), ("10.0.0.1", False), ("pacs", False)],
)
def test_loopback(host: str, expected: bool) -> None:
    assert is_loopback(host) is expected
