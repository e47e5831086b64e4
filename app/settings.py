"""Frozen settings: the only reader of the environment, validated whole before anything starts."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

from app.profiles.profile import ProfileError
from app.setting_values import (
    SANDBOX,
    Network,
    header_text,
    hosts,
    keys,
    model_list,
    model_map,
    networks,
    one_of,
    origins,
    profile_overrides,
    proxy_url,
    readable_file,
    seconds,
    text,
    thinking_store,
    truth,
    upstream_base,
    visible,
    whole,
)

__all__ = ["SANDBOX", "Network", "Settings", "SettingsError"]
_USER = re.compile(r"(?<=//)[^/@]*@")


class SettingsError(ValueError):
    """One or more environment values are unusable; the text names each key, its value and what was expected."""


def setting(key: str, default: Any, parse: Callable[[str], Any], secret: bool = False) -> Any:
    return field(default=default, repr=not secret, metadata={"key": key, "parse": parse, "secret": secret})


ANY_PORT = whole(0, 65535)
ANY_COUNT = whole(1, 1_000_000)
ANY_BYTES = whole(1024, 2**40)


@dataclass(frozen=True)
class Settings:
    """Everything that can be configured; a field is its environment key in lower case."""

    upstream_base: str = setting("UPSTREAM_BASE", "https://api.z.ai/api/anthropic", upstream_base)
    server_api_key: str = setting("SERVER_API_KEY", "", visible, secret=True)
    forward_client_key: bool = setting("FORWARD_CLIENT_KEY", True, truth)
    proxy_api_keys: tuple[str, ...] = setting("PROXY_API_KEYS", (), keys, secret=True)
    allow_anonymous: str = setting("ALLOW_ANONYMOUS", "private", one_of("private", "true", "false"))
    trusted_proxies: tuple[Network, ...] = setting("TRUSTED_PROXIES", (), networks)
    allowed_hosts: tuple[str, ...] = setting("ALLOWED_HOSTS", (), hosts)
    cors_origins: tuple[str, ...] = setting("CORS_ORIGINS", (), origins)

    model_map_json: dict[str, str] = field(
        default_factory=dict, metadata={"key": "MODEL_MAP_JSON", "parse": model_map, "secret": False}
    )
    openai_models_list_json: tuple[str, ...] = setting("OPENAI_MODELS_LIST_JSON", ("glm-4.5", "glm-4.5v"), model_list)
    autotext_model: str = setting("AUTOTEXT_MODEL", "glm-4.5", text)
    autovision_model: str = setting("AUTOVISION_MODEL", "glm-4.5", text)

    force_anthropic_beta: bool = setting("FORCE_ANTHROPIC_BETA", False, truth)
    default_anthropic_beta: str = setting("DEFAULT_ANTHROPIC_BETA", "prompt-caching-2024-07-31", header_text)
    forward_count_to_upstream: bool = setting("FORWARD_COUNT_TO_UPSTREAM", True, truth)
    count_shape_compat: bool = setting("COUNT_SHAPE_COMPAT", True, truth)

    default_max_tokens: int = setting("DEFAULT_MAX_TOKENS", 32_000, ANY_COUNT)
    strict_params: bool = setting("STRICT_PARAMS", False, truth)
    auto_cache_control: bool = setting("AUTO_CACHE_CONTROL", False, truth)
    learn_from_refusals: bool = setting("LEARN_FROM_REFUSALS", True, truth)
    profile_overrides_json: dict[str, dict[str, Any]] = field(
        default_factory=dict,
        metadata={"key": "PROFILE_OVERRIDES_JSON", "parse": profile_overrides, "secret": False},
    )
    thinking_store: str = setting("THINKING_STORE", "shared", thinking_store, secret=True)
    continue_paused_turns: int = setting("CONTINUE_PAUSED_TURNS", 3, whole(0, 100))
    seed_usage_estimate: bool = setting("SEED_USAGE_ESTIMATE", False, truth)

    host: str = setting("HOST", "0.0.0.0", text)
    port: int = setting("PORT", 5000, ANY_PORT)
    workers: int = setting("WORKERS", 2, whole(1, 1024))
    worker_connections: int = setting("WORKER_CONNECTIONS", 10_000, ANY_COUNT)
    graceful_timeout: int = setting("GRACEFUL_TIMEOUT", 30, whole(1, 86_400))
    stop_timeout: int | None = setting("STOP_TIMEOUT", None, ANY_COUNT)
    upstream_connect_timeout: float = setting("UPSTREAM_CONNECT_TIMEOUT", 10.0, seconds)
    upstream_read_timeout: float = setting("UPSTREAM_READ_TIMEOUT", 300.0, seconds)
    upstream_first_byte_timeout: float | None = setting("UPSTREAM_FIRST_BYTE_TIMEOUT", None, seconds)
    upstream_total_timeout: float = setting("UPSTREAM_TOTAL_TIMEOUT", 3600.0, seconds)
    upstream_ca_file: str = setting("UPSTREAM_CA_FILE", "", readable_file)
    upstream_proxy: str = setting("UPSTREAM_PROXY", "", proxy_url)
    retry_overloaded: bool = setting("RETRY_OVERLOADED", False, truth)
    client_body_timeout: float = setting("CLIENT_BODY_TIMEOUT", 60.0, seconds)
    client_send_timeout: float = setting("CLIENT_SEND_TIMEOUT", 60.0, seconds)
    keepalive_interval: float = setting("KEEPALIVE_INTERVAL", 15.0, seconds)
    max_body_bytes: int = setting("MAX_BODY_BYTES", 32 * 1024 * 1024, ANY_BYTES)
    max_answer_bytes: int = setting("MAX_ANSWER_BYTES", 64 * 1024 * 1024, ANY_BYTES)

    log_level: str = setting("LOG_LEVEL", "info", one_of("debug", "info", "warning", "error", "critical"))
    log_format: str = setting("LOG_FORMAT", "text", one_of("text", "json"))
    metrics_port: int = setting("METRICS_PORT", 0, ANY_PORT)
    metrics_host: str = setting("METRICS_HOST", "127.0.0.1", text)

    @property
    def first_byte_timeout(self) -> float:
        """Seconds until the upstream's answer must have begun."""
        return self.upstream_first_byte_timeout or self.upstream_read_timeout

    def impatient(self, longest: float) -> Settings:
        """The same, with no wait for the upstream longer than `longest` seconds and nothing sent again."""
        return replace(
            self,
            upstream_connect_timeout=min(longest, self.upstream_connect_timeout),
            upstream_read_timeout=min(longest, self.upstream_read_timeout),
            upstream_first_byte_timeout=min(longest, self.first_byte_timeout),
            retry_overloaded=False,
        )

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> Settings:
        """Settings from a mapping such as `os.environ`; an empty value counts as unset.

        Raises SettingsError naming every unusable key at once.
        """
        values: dict[str, Any] = {}
        complaints: list[str] = []
        for item in fields(cls):
            key, parse = item.metadata["key"], item.metadata["parse"]
            raw = environ.get(key, "").strip()
            if not raw:
                continue
            try:
                values[item.name] = parse(raw)
            except (ValueError, RecursionError) as error:
                shown = "(hidden)" if item.metadata["secret"] else repr(_USER.sub("(hidden)@", raw))
                why = f" ({error})" if isinstance(error, ProfileError) else ""
                complaints.append(f"{key}={shown}: expected {parse.__doc__}{why}")
        if complaints:
            raise SettingsError("\n".join(complaints))
        return cls(**values)
