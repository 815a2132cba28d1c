"""Settings refuse what is unsafe or unknown, and say why."""

from __future__ import annotations

from pathlib import Path

import pytest

from delineate.settings import PREFIX, Settings, SettingsError, is_loopback, load_settings


def test_defaults_listen_on_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DELINEATE_HOST", raising=False)
    settings = load_settings()
    assert is_loopback(settings.host)
    assert settings.model == "demo"


def test_an_unknown_prefixed_variable_refuses_to_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DELINEATE_ARCHIV_URL", "http://127.0.0.1/dicom-web")
    with pytest.raises(SettingsError, match="DELINEATE_ARCHIV_URL"):
        load_settings()


def test_an_empty_variable_is_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DELINEATE_REDIS_URL", "")
    assert load_settings().redis_url is None


def test_what_is_no_redis_refuses_to_start_and_is_not_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DELINEATE_REDIS_URL", "http://:geheim@localhost")
    with pytest.raises(SettingsError, match="DELINEATE_REDIS_URL is no address of a Redis") as refused:
        load_settings()
    assert "geheim" not in str(refused.value)


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


def test_every_setting_is_documented_with_its_own_words() -> None:
    text = (Path(__file__).parents[2] / "docs" / "settings.md").read_text(encoding="utf-8")
    entries = {heading: " ".join(entry.split()) for heading, entry in _sections(text)}
    for name, field in Settings.model_fields.items():
        description = " ".join((field.description or "").split()).replace("``", "`")
        entry = entries.pop(f"`{PREFIX}{name.upper()}`")
        assert description
        assert entry.startswith(description)
        if isinstance(field.default, str | int | float):
            assert entry.endswith(f"Default: `{field.default}`.")
    assert not [heading for heading in entries if PREFIX in heading], "documented, but no setting"


def _sections(text: str) -> list[list[str]]:
    """Split Markdown into (heading, text) at the second level."""
    return [section.split("\n", 1) for section in text.split("\n## ")[1:]]
