"""Settings: what each key takes, and what is said of a value it does not take."""

import re
from dataclasses import FrozenInstanceError, fields
from pathlib import Path
from typing import Any

import pytest

from app.settings import Settings, SettingsError

GOOD: list[tuple[str, str, Any]] = [
    ("UPSTREAM_BASE", "sandbox:", "sandbox:"),
    ("UPSTREAM_BASE", " https://api.anthropic.com/ ", "https://api.anthropic.com"),
    ("UPSTREAM_BASE", "https://api.anthropic.com/v1", "https://api.anthropic.com"),
    ("UPSTREAM_BASE", "https://api.anthropic.com/v1/", "https://api.anthropic.com"),
    ("UPSTREAM_BASE", "https://api.anthropic.com/v1/messages", "https://api.anthropic.com"),
    ("UPSTREAM_BASE", "https://api.z.ai/api/anthropic//v1/", "https://api.z.ai/api/anthropic"),
    ("UPSTREAM_BASE", "https://x/v1x/messages", "https://x/v1x/messages"),
    ("UPSTREAM_BASE", "HTTP://[::1]:8080/a/v1", "http://[::1]:8080/a"),
    ("SERVER_API_KEY", "sk-1", "sk-1"),
    ("FORWARD_CLIENT_KEY", "False", False),
    ("FORWARD_CLIENT_KEY", "0", False),
    ("STRICT_PARAMS", "YES", True),
    ("PROXY_API_KEYS", " a , b,,", ("a", "b")),
    ("ALLOW_ANONYMOUS", "TRUE", "true"),
    ("ALLOWED_HOSTS", "LLM.example.com., b", ("llm.example.com", "b")),
    ("CORS_ORIGINS", "https://A.example/, app://obsidian.md,http://localhost:3000", None),
    ("CORS_ORIGINS", "*", ("*",)),
    ("MODEL_MAP_JSON", '{"a": "b"}', {"a": "b"}),
    ("OPENAI_MODELS_LIST_JSON", "[]", ()),
    ("OPENAI_MODELS_LIST_JSON", '["a/b:c[1m]"]', ("a/b:c[1m]",)),
    ("PROFILE_OVERRIDES_JSON", '{"m*": {"prefill": false, "thinking": ["enabled"]}}', None),
    ("THINKING_STORE", "off", "off"),
    ("THINKING_STORE", "rediss://:secret@redis:6380/1", "rediss://:secret@redis:6380/1"),
    ("UPSTREAM_READ_TIMEOUT", "0.5", 0.5),
    ("UPSTREAM_PROXY", "http://proxy:3128", "http://proxy:3128"),
    ("UPSTREAM_CA_FILE", __file__, __file__),
    ("PORT", "0", 0),
    ("LOG_LEVEL", "DEBUG", "debug"),
    ("DEFAULT_ANTHROPIC_BETA", "a,b, c", "a,b, c"),
    ("CONTINUE_PAUSED_TURNS", "0", 0),
]

BAD: dict[str, list[str]] = {
    "UPSTREAM_BASE": [
        "api.z.ai",
        "ftp://x",
        "https://",
        "https://x/?a=1",
        "https://x/#a",
        "https://x:0",
        "https://x:99999",
        "https://user@x",
        "https://@x",
        "https://x/a b",
        "https://bücher.example",
        "sandbox",
    ],
    "SERVER_API_KEY": ["two words", "ключ", "line\nbreak"],
    "PROXY_API_KEYS": ["a b", "ü", ",", " , ,"],
    "FORWARD_CLIENT_KEY": ["maybe", "2"],
    "FORCE_ANTHROPIC_BETA": ["x"],
    "FORWARD_COUNT_TO_UPSTREAM": ["x"],
    "COUNT_SHAPE_COMPAT": ["x"],
    "STRICT_PARAMS": ["x"],
    "AUTO_CACHE_CONTROL": ["x"],
    "LEARN_FROM_REFUSALS": ["x"],
    "SEED_USAGE_ESTIMATE": ["x"],
    "RETRY_OVERLOADED": ["x"],
    "ALLOW_ANONYMOUS": ["lan", "0"],
    "TRUSTED_PROXIES": ["nginx", "10.0.0.0/40", "10.0.0.1;10.0.0.2", ","],
    "ALLOWED_HOSTS": ["https://x", "a b", "x:80", ","],
    "CORS_ORIGINS": ["app.example.com", "https://x/path", "null", "https://user@x", ","],
    "MODEL_MAP_JSON": ["{", "[]", '{"a": 1}', '{"a": ""}', '{"a": null}', "[" * 100_000],
    "OPENAI_MODELS_LIST_JSON": ["{}", "[1]", '[""]', "a,b", '"a"'],
    "AUTOTEXT_MODEL": ["a\nb"],
    "AUTOVISION_MODEL": ["a\x00"],
    "DEFAULT_ANTHROPIC_BETA": ["a\r\nx: y", "ü"],
    "DEFAULT_MAX_TOKENS": ["0", "-1", "many"],
    "PROFILE_OVERRIDES_JSON": ["[]", '{"m": 1}', '{"m": {"no_such_field": true}}', '{"m": {"prefill": "no"}}'],
    "THINKING_STORE": ["disk", "redis", "http://x", "redis://", "redis://host:port", "redis://a b", "unix://"],
    "CONTINUE_PAUSED_TURNS": ["-1", "x"],
    "HOST": ["a\tb"],
    "PORT": ["-1", "65536", "http", "5000.5"],
    "WORKERS": ["0", "x"],
    "WORKER_CONNECTIONS": ["0"],
    "GRACEFUL_TIMEOUT": ["0"],
    "STOP_TIMEOUT": ["0", "soon"],
    "UPSTREAM_CONNECT_TIMEOUT": ["0", "-1", "nan", "inf", "10s"],
    "UPSTREAM_READ_TIMEOUT": ["0"],
    "UPSTREAM_FIRST_BYTE_TIMEOUT": ["0"],
    "UPSTREAM_TOTAL_TIMEOUT": ["0", "an hour"],
    "UPSTREAM_CA_FILE": ["/no/such/file.pem", "/"],
    "UPSTREAM_PROXY": ["proxy:3128", "https://proxy:3128", "http://proxy", "http://user:pass@proxy:3128"],
    "CLIENT_BODY_TIMEOUT": ["0"],
    "CLIENT_SEND_TIMEOUT": ["x"],
    "KEEPALIVE_INTERVAL": ["0"],
    "MAX_BODY_BYTES": ["32MB", "10"],
    "MAX_ANSWER_BYTES": ["x"],
    "LOG_LEVEL": ["loud"],
    "LOG_FORMAT": ["xml"],
    "METRICS_PORT": ["x"],
    "METRICS_HOST": ["a\nb"],
}
SECRET = {"SERVER_API_KEY", "PROXY_API_KEYS", "THINKING_STORE"}


@pytest.mark.parametrize(("key", "raw", "value"), GOOD)
def test_good_values(key: str, raw: str, value: Any) -> None:
    found = getattr(Settings.from_env({key: raw}), key.lower())
    assert found == value or value is None


def test_every_key_is_in_the_table() -> None:
    assert set(BAD) == {item.metadata["key"] for item in fields(Settings)}


@pytest.mark.parametrize(("key", "raw"), [(key, raw) for key, values in BAD.items() for raw in values])
def test_bad_values_are_named_with_what_was_expected(key: str, raw: str) -> None:
    with pytest.raises(SettingsError) as raised:
        Settings.from_env({key: raw})
    said, _, expected = str(raised.value).partition(": expected ")
    assert said.startswith(f"{key}=")
    assert expected
    assert expected != "None"
    if key in SECRET:
        assert said == f"{key}=(hidden)"
    elif "@" not in raw:
        assert said == f"{key}={raw!r}"


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        ('{"m*": {"prefil": true}}', "m*.prefil: no such profile field, or not of its type"),
        ('{"m*": {"web_search": true}}', "m*.web_search: this field is called anthropic_extensions now"),
        ('{"m*": {"sampling": "some"}}', "m*.sampling: expected all, none, one"),
    ],
)
def test_what_is_wrong_with_an_override_is_told(raw: str, why: str) -> None:
    with pytest.raises(SettingsError, match=re.escape(f"({why})")):
        Settings.from_env({"PROFILE_OVERRIDES_JSON": raw})


def test_all_complaints_come_at_once() -> None:
    with pytest.raises(SettingsError) as raised:
        Settings.from_env({"PORT": "x", "WORKERS": "0", "LOG_LEVEL": "info"})
    assert [line.partition("=")[0] for line in str(raised.value).splitlines()] == ["PORT", "WORKERS"]


def test_no_secret_is_shown() -> None:
    environ = {
        "SERVER_API_KEY": "sk-secret",
        "PROXY_API_KEYS": "pk-secret",
        "THINKING_STORE": "redis://:secret@redis",
    }
    assert "secret" not in repr(Settings.from_env(environ))
    for key, raw in (
        ("SERVER_API_KEY", "sk secret"),
        ("UPSTREAM_BASE", "https://user:secret@api.example"),
        ("UPSTREAM_PROXY", "http://user:secret@proxy:3128"),
        ("THINKING_STORE", "mysql://:secret@redis"),
    ):
        with pytest.raises(SettingsError) as raised:
            Settings.from_env({key: raw})
        assert "secret" not in str(raised.value)


def test_settings_are_frozen_and_other_keys_ignored() -> None:
    settings = Settings.from_env({"PATH": "/bin", "NO_SUCH_KEY": "1"})
    assert settings == Settings()
    with pytest.raises(FrozenInstanceError):
        settings.port = 1  # type: ignore[misc]


def test_waits_are_limited_and_leave_time_to_think() -> None:
    """Separately for connecting, the first byte, between bytes, and all together."""
    settings = Settings()
    assert settings.upstream_connect_timeout == 10
    assert settings.first_byte_timeout == settings.upstream_read_timeout == 300
    assert settings.upstream_total_timeout == 3600
    assert Settings.from_env({"UPSTREAM_FIRST_BYTE_TIMEOUT": "900"}).first_byte_timeout == 900
    assert settings.keepalive_interval == 15, "common proxies close a stream that is silent for 60 s"
    assert settings.client_body_timeout == settings.client_send_timeout == 60
    assert settings.max_body_bytes == 32 * 2**20, "as Anthropic's API"
    assert not settings.retry_overloaded


def test_less_patience_changes_nothing_else() -> None:
    hurried = Settings.from_env({"UPSTREAM_CONNECT_TIMEOUT": "2", "RETRY_OVERLOADED": "true"}).impatient(5)
    assert (hurried.upstream_connect_timeout, hurried.upstream_read_timeout, hurried.first_byte_timeout) == (2, 5, 5)
    assert not hurried.retry_overloaded
    assert hurried.upstream_base == Settings().upstream_base


def test_a_file_that_nobody_may_read(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="a file that this process can read"):
        Settings.from_env({"UPSTREAM_CA_FILE": str(tmp_path)})
