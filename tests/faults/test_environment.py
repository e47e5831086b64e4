"""What the operator's account and shell hold has no say in where a request goes and with which key."""

from pathlib import Path

from .conftest import start
from .raw_client import KINDS, Client, request_body, request_bytes
from .raw_upstream import RawUpstream
from .test_upstream_faults import unique

PROXY_VARIABLES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy")


def test_netrc_and_proxy_variables_change_nothing(
    upstream: RawUpstream, elsewhere: RawUpstream, tmp_path: Path
) -> None:
    netrc = tmp_path / ".netrc"
    netrc.write_text("default login somebody password netrc-secret\n")
    netrc.chmod(0o600)
    environ: dict[str, object] = dict.fromkeys(PROXY_VARIABLES, f"http://user:proxy-secret@127.0.0.1:{elsewhere.port}")
    environ |= {"HOME": tmp_path, "NETRC": netrc, "NO_PROXY": "", "no_proxy": ""}
    before = len(elsewhere.calls)
    for server in start(UPSTREAM_BASE=f"http://127.0.0.1:{upstream.port}", **environ):
        for path, stream in KINDS:
            for given in ({"authorization": "Bearer sk-own"}, {"x-api-key": "sk-own"}, {}):
                model = unique("good")
                data = request_bytes(path, request_body(path, model, stream), *map(": ".join, given.items()))
                with Client(server.port) as client:
                    client.send(data.replace(b"Authorization: Bearer sk-client-key\r\n", b""))
                    assert client.reply().status == 200
                sent = upstream.call_of(model).headers
                assert {name: sent[name] for name in ("authorization", "x-api-key") if name in sent} == given
                assert "proxy-authorization" not in sent
    assert len(elsewhere.calls) == before
