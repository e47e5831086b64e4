"""Exit status 0 when the service on this machine answers GET /health; `--url` prints its address."""

import http.client
import os
import sys
import urllib.request
from collections.abc import Mapping
from pathlib import Path

from dotenv import dotenv_values

ROOT = Path(__file__).resolve().parent.parent
ANY_ADDRESS = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # listened on, but not to be connected to everywhere
# The service is on this machine: a proxy from the environment has no business in between.
DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def listening_address(environ: Mapping[str, str | None]) -> tuple[str, int]:
    """HOST and PORT as gunicorn.conf.py reads them. Raises ValueError when PORT is no number."""
    host = (environ.get("HOST") or "").strip() or "0.0.0.0"
    port = (environ.get("PORT") or "").strip() or "5000"
    if not port.isdecimal():
        raise ValueError(f"PORT={port!r}: expected a whole number from 0 to 65535")
    return host, int(port)


def configured_environment(environ: Mapping[str, str] = os.environ) -> dict[str, str | None]:
    """`environ` over .env, as the service sees them: what is empty in the environment hides nothing.

    Raises ValueError when .env cannot be read.
    """
    given: dict[str, str | None] = {key: value for key, value in environ.items() if value.strip()}
    if environ.get("PYTHON_DOTENV_DISABLED", "").lower() in {"1", "true", "t", "yes", "y"}:
        return given
    try:
        return {**dotenv_values(ROOT / ".env"), **given}
    except (OSError, UnicodeError) as error:
        raise ValueError(f"{ROOT / '.env'} cannot be read: {error}") from None


def base_url(host: str, port: int) -> str:
    host = ANY_ADDRESS.get(host, host)
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def answers(url: str, timeout: float = 3.0) -> bool:
    """Whether GET {url}/health gives 200 within `timeout` seconds."""
    try:
        with DIRECT.open(f"{url}/health", timeout=timeout) as response:
            return bool(response.status == 200)
    except (OSError, http.client.HTTPException):
        return False


def main() -> int:
    url = base_url(*listening_address(configured_environment()))
    if sys.argv[1:] == ["--url"]:
        print(url)
        return 0
    return 0 if answers(url) else 1


if __name__ == "__main__":
    sys.exit(main())
