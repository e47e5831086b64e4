"""`python -m tests.fake_upstream --port 8090 --personality z.ai`: the fake by hand."""

import argparse
import contextlib
import sys

from .personalities import PERSONALITIES
from .server import FakeUpstream


def main() -> None:
    """Serves until interrupted."""
    parser = argparse.ArgumentParser(prog="python -m tests.fake_upstream", description=__doc__)
    parser.add_argument("--port", type=int, default=8090)
    parser.add_argument("--personality", choices=sorted(PERSONALITIES), default="anthropic")
    parser.add_argument("--lenient", action="store_true", help="judge other vendors' models as their owners do")
    options = parser.parse_args()
    upstream = FakeUpstream(options.personality, strict=not options.lenient, port=options.port)
    sys.stderr.write(f"{options.personality} at {upstream.base_url}\n")
    with contextlib.suppress(KeyboardInterrupt):
        upstream.serve()


if __name__ == "__main__":
    main()
