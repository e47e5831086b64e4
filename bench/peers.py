"""Other gateways, each in its own folder outside the project and pinned; what is not there is skipped, by name."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from bench.answers import MODEL
from bench.http_requests import KEY
from bench.targets import Target, Unavailable, floor, free_port, plain_environment, running, started, wait_until

LITELLM = "litellm[proxy]==1.100.1"
TENSORZERO = "tensorzero==2026.6.0"
PORTKEY = "@portkey-ai/gateway@1.15.2"

Starting = Callable[[int, Path], contextlib.AbstractContextManager[Target]]


def home() -> Path:
    """Where peers are installed: `BENCH_PEERS`, else a folder of the user's cache."""
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(os.environ.get("BENCH_PEERS") or Path(cache) / "anthropic-proxy-bench")


def install(name: str) -> None:
    """Install the peer `name` below `home()`. Raises Unavailable if that fails."""
    folder = home() / name
    folder.mkdir(parents=True, exist_ok=True)
    steps = {
        "litellm": _venv_steps(folder, LITELLM),
        "tensorzero": _venv_steps(folder, TENSORZERO),
        "portkey": [["npm", "install", "--ignore-scripts", "--prefix", str(folder), PORTKEY]],
    }
    for step in steps.get(name, []):
        try:
            subprocess.run(step, check=True, capture_output=True, text=True)
        except FileNotFoundError as error:
            raise Unavailable(f"{error.filename} is not installed") from None
        except subprocess.CalledProcessError as error:
            raise Unavailable(f"{' '.join(step)} failed: {error.stderr[-500:]}") from None


def _venv_steps(folder: Path, requirement: str) -> list[list[str]]:
    python = str(folder / "bin" / "python")
    return [[sys.executable, "-m", "venv", str(folder)], [python, "-m", "pip", "install", "-q", requirement]]


@contextlib.contextmanager
def litellm(upstream_port: int, scratch: Path) -> Iterator[Target]:
    """LiteLLM's proxy, one worker, without a database; /v1/messages goes through its Anthropic adapter."""
    program = _installed(home() / "litellm" / "bin" / "litellm")
    port = free_port()
    config = scratch / "litellm.yaml"
    config.write_text(
        f"model_list:\n  - model_name: {MODEL}\n    litellm_params:\n      model: anthropic/{MODEL}\n"
        f"      api_base: http://127.0.0.1:{upstream_port}\n      api_key: {KEY}\n"
        "litellm_settings:\n  telemetry: false\n  num_retries: 0\n"
    )
    command = [str(program), "--config", str(config), "--port", str(port), "--host", "127.0.0.1", "--num_workers", "1"]
    environ = plain_environment(LITELLM_LOCAL_MODEL_COST_MAP="True", LITELLM_MODE="PRODUCTION")
    with running(command, port, environ, scratch, scratch / "litellm.log") as pid:
        yield Target("LiteLLM", port, pid, "/v1/chat/completions", "/v1/messages")


@contextlib.contextmanager
def portkey(upstream_port: int, scratch: Path) -> Iterator[Target]:
    """Portkey's open gateway on Node; where it sends what, each request says in headers."""
    script = _installed(home() / "portkey" / "node_modules" / "@portkey-ai" / "gateway" / "build" / "start-server.js")
    port = free_port()
    headers = {
        "x-portkey-provider": "anthropic",
        "x-portkey-custom-host": f"http://127.0.0.1:{upstream_port}/v1",
    }
    # Without the variable it takes a custom host on this machine for an attack.
    environ = plain_environment(NODE_ENV="production", TRUSTED_CUSTOM_HOSTS="127.0.0.1,localhost")
    command = [_found("node"), str(script), f"--port={port}", "--headless"]
    with running(command, port, environ, scratch, scratch / "portkey.log") as pid:
        yield Target("Portkey", port, pid, "/v1/chat/completions", "/v1/messages", headers=headers)


@contextlib.contextmanager
def tensorzero(upstream_port: int, scratch: Path) -> Iterator[Target]:
    """TensorZero's Rust gateway, which its Python wheel carries and serves from a Python process that only waits."""
    python = _installed(home() / "tensorzero" / "bin" / "python")
    ready = scratch / "tensorzero.port"
    ready.unlink(missing_ok=True)
    config = scratch / "tensorzero.toml"
    config.write_text(
        "[gateway]\nobservability.enabled = false\n\n[models.bench]\nrouting = ['bench']\n\n"
        f"[models.bench.providers.bench]\ntype = 'anthropic'\nmodel_name = '{MODEL}'\n"
        f"api_base = 'http://127.0.0.1:{upstream_port}/v1'\n"
    )
    program = Path(__file__).with_name("tensorzero_gateway.py")
    log = scratch / "tensorzero.log"
    command = [str(python), str(program), str(config), str(ready)]
    with started(command, plain_environment(ANTHROPIC_API_KEY=KEY), scratch, log) as process:
        wait_until(ready.exists, process, log)
        port = int(ready.read_text())
        yield Target(
            "TensorZero", port, process.pid, "/openai/v1/chat/completions", model="tensorzero::model_name::bench"
        )


@contextlib.contextmanager
def nginx(upstream_port: int, scratch: Path) -> Iterator[Target]:
    """nginx passing bytes through with kept connections: the floor that no gateway in Python or Rust can reach."""
    program = _found("nginx")
    port = free_port()
    config = scratch / "nginx.conf"
    config.write_text(
        f"daemon off; worker_processes 1; pid {scratch}/nginx.pid; error_log {scratch}/nginx.log;\n"
        "events { worker_connections 20000; }\n"
        f"http {{ access_log off; client_body_temp_path {scratch}/body; proxy_temp_path {scratch}/proxy;\n"
        f"fastcgi_temp_path {scratch}/f; uwsgi_temp_path {scratch}/u; scgi_temp_path {scratch}/s;\n"
        f"keepalive_requests 1000000; upstream up {{ server 127.0.0.1:{upstream_port}; keepalive 64; }}\n"
        f"server {{ listen 127.0.0.1:{port}; location / {{ proxy_pass http://up; proxy_http_version 1.1;\n"
        'proxy_set_header Connection ""; proxy_buffering off; } } }\n'
    )
    command = [program, "-c", str(config), "-p", str(scratch)]
    with running(command, port, plain_environment(), scratch, scratch / "nginx.out") as pid:
        yield Target("nginx", port, pid, messages_path="/v1/messages")


def _installed(path: Path) -> Path:
    if not path.exists():
        raise Unavailable("not installed; run once with --install")
    return path


def _found(program: str) -> str:
    path = shutil.which(program)
    if path is None:
        raise Unavailable(f"{program} is not installed")
    return path


PEERS: dict[str, Starting] = {
    "tensorzero": tensorzero,
    "portkey": portkey,
    "litellm": litellm,
    "nginx": nginx,
    "floor": floor,
}
