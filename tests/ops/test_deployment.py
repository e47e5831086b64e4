"""Supervisors, containers, reverse proxies: times that fit the service's, nothing more open than said."""

import re
from configparser import RawConfigParser
from typing import Any

import yaml

from app.settings import Settings
from app.thinking.memory import MAX_AGE_SECONDS

from .conftest import ROOT

SETTINGS = Settings.from_env({})


def supervisor_config() -> RawConfigParser:
    config = RawConfigParser(inline_comment_prefixes=(";",))
    config.read(ROOT / "supervisord.conf")
    return config


def test_supervisord_waits_for_the_streams() -> None:
    program = supervisor_config()["program:anthropic-proxy"]
    assert program.getint("stopwaitsecs") >= SETTINGS.graceful_timeout + 10
    assert program["environment"] == f'STOP_TIMEOUT="{program["stopwaitsecs"]}"'
    assert program["stopsignal"] == "TERM"
    assert program.getboolean("killasgroup")
    assert program.getboolean("autorestart")
    assert "--pid anthropic-proxy.pid" in program["command"]


def test_supervisord_listens_on_a_private_socket_only() -> None:
    config = supervisor_config()
    assert "inet_http_server" not in config
    assert config["unix_http_server"]["chmod"] == "0700"


def test_supervisord_rotates_the_logs() -> None:
    program = supervisor_config()["program:anthropic-proxy"]
    for stream, name in (("stdout", "server.log"), ("stderr", "server_error.log")):
        assert program[f"{stream}_logfile"].endswith(f"/logs/{name}")
        assert program[f"{stream}_logfile_maxbytes"] == "10MB"
        assert program.getint(f"{stream}_logfile_backups") > 0


def instructions() -> dict[str, list[str]]:
    text = (ROOT / "Dockerfile").read_text().replace("\\\n", " ")
    found: dict[str, list[str]] = {}
    for line in text.splitlines():
        if line and not line.startswith("#"):
            name, _, rest = line.partition(" ")
            found.setdefault(name, []).append(rest)
    return found


def test_the_image_is_pinned_and_runs_as_nobody_in_particular() -> None:
    dockerfile = instructions()
    assert re.fullmatch(r"PYTHON_IMAGE=python:3\.\d+\.\d+-slim-\w+", dockerfile["ARG"][0])
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", dockerfile["USER"][-1])
    assert dockerfile["CMD"] == ['["gunicorn", "-c", "gunicorn.conf.py"]']
    assert 'CMD ["python", "scripts/health.py"]' in dockerfile["HEALTHCHECK"][0]
    assert "--require-hashes" in dockerfile["RUN"][0]


def test_the_image_is_readable_whatever_the_checkout_was() -> None:
    dockerfile = instructions()
    assert dockerfile["RUN"][-1].endswith("&& chmod -R a+rX .")
    order = [line.split(" ")[0] for line in (ROOT / "Dockerfile").read_text().splitlines()]
    assert "COPY" not in order[order.index("USER") :]


def test_the_build_context_holds_what_is_copied_and_no_more() -> None:
    lines = (ROOT / ".dockerignore").read_text().split()
    allowed = {line[1:] for line in lines if line.startswith("!")}
    copied = {source.rstrip("/") for line in instructions()["COPY"] for source in line.split()[:-1]}
    assert "*" in lines
    assert copied == allowed
    assert all((ROOT / name).exists() for name in copied)


def compose(name: str = "docker-compose.yml") -> Any:
    return yaml.safe_load((ROOT / name).read_text())["services"]["anthropic-proxy"]


def test_compose_publishes_to_this_machine_only_and_locks_the_container() -> None:
    service = compose()
    assert service["ports"] == ["127.0.0.1:5000:5000"]
    assert service["read_only"] is True
    assert service["tmpfs"][0].startswith("/tmp")
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["env_file"] == [{"path": ".env", "required": False}]


def test_compose_waits_for_the_streams() -> None:
    service = compose()
    assert service["stop_grace_period"] == f"{service['environment']['STOP_TIMEOUT']}s"
    assert int(service["environment"]["STOP_TIMEOUT"]) >= SETTINGS.graceful_timeout + 10


def test_compose_for_development_reloads_the_mounted_source() -> None:
    service = compose("docker-compose.dev.yml")
    assert "--reload" in service["command"]
    assert service["environment"]["PYTHON_DOTENV_DISABLED"] == "1", "the mounted .env is not the container user's"
    assert service["volumes"] == [f".:{instructions()['WORKDIR'][0]}:ro"]


def test_systemd_waits_for_the_streams_and_reloads_only_what_is_sound() -> None:
    unit = (ROOT / "deploy" / "anthropic-proxy.service").read_text()
    (stop,) = re.findall(r"^TimeoutStopSec=(\d+)$", unit, re.M)
    assert int(stop) >= SETTINGS.graceful_timeout + 10
    assert f"STOP_TIMEOUT={stop}" in unit
    check, reload = re.findall(r"^ExecReload=(.+)$", unit, re.M)
    assert check.endswith("--check-config")
    assert reload == "/bin/kill -HUP $MAINPID"
    for hardening in (
        "DynamicUser=yes",
        "ProtectSystem=strict",
        "NoNewPrivileges=yes",
        "CapabilityBoundingSet=\n",
    ):
        assert hardening in unit


def test_nginx_passes_events_on_and_replaces_the_clients_address() -> None:
    site = (ROOT / "deploy" / "nginx.conf").read_text()
    for directive in (
        "proxy_buffering off;",
        "proxy_http_version 1.1;",
        "proxy_set_header X-Forwarded-For $remote_addr;",
        "proxy_next_upstream off;",
        "gzip off;",
    ):
        assert directive in site
    (read_timeout,) = re.findall(r"proxy_read_timeout (\d+)s;", site)
    assert int(read_timeout) > SETTINGS.upstream_read_timeout
    (body,) = re.findall(r"client_max_body_size (\d+)m;", site)
    assert int(body) * 2**20 > SETTINGS.max_body_bytes


def test_kubernetes_runs_it_locked_and_waits_for_the_streams() -> None:
    deployment, service = yaml.safe_load_all((ROOT / "deploy" / "kubernetes.yaml").read_text())
    pod = deployment["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    environ = {item["name"]: item["value"] for item in container["env"]}
    pre_stop = int(container["lifecycle"]["preStop"]["exec"]["command"][1])
    assert pod["terminationGracePeriodSeconds"] == pre_stop + int(environ["STOP_TIMEOUT"])
    assert int(environ["STOP_TIMEOUT"]) >= SETTINGS.graceful_timeout + 10
    assert container["livenessProbe"]["httpGet"]["path"] == "/health"
    assert service["spec"]["sessionAffinity"] == "ClientIP", "thinking blocks stay where they were kept"
    kept = service["spec"]["sessionAffinityConfig"]["clientIP"]["timeoutSeconds"]
    assert kept >= MAX_AGE_SECONDS
    assert service["spec"]["selector"].items() <= deployment["spec"]["template"]["metadata"]["labels"].items()
