"""Signatures of thinking blocks: what the fake issues, it recognises when a client sends it back."""

import base64
import hashlib
import hmac
import json
from dataclasses import asdict, dataclass
from typing import Any

from .conversation import turns
from .terms import Body

KEY = b"the fake upstream's own key"
SPARED = "cache_control"


@dataclass(frozen=True)
class Seal:
    """What a signature vouches for.

    `text`: hash of the thinking (empty for redacted blocks). `prefix`: hash of the conversation before.
    `answer`: names the answer the block came in. `place`, `of`: the block's place among that answer's
    thinking blocks.
    """

    text: str
    prefix: str
    answer: str
    place: int
    of: int

    def signed(self) -> str:
        """The signature, as text."""
        claim = json.dumps(asdict(self), sort_keys=True).encode()
        return base64.b64encode(hmac.digest(KEY, claim, "sha256") + claim).decode()

    @classmethod
    def opened(cls, signature: str) -> "Seal | None":
        """The seal inside a signature; None for one that was not issued here, or was altered."""
        try:
            raw = base64.b64decode(signature, validate=True)
        except ValueError:
            return None
        mac, claim = raw[:32], raw[32:]
        if not hmac.compare_digest(mac, hmac.digest(KEY, claim, "sha256")):
            return None
        return cls(**json.loads(claim))


def digest(value: str) -> str:
    """A short hash of a text that may hold anything."""
    return hashlib.sha256(value.encode("utf-8", "surrogatepass")).hexdigest()[:24]


def _comparable(value: Any) -> Any:
    """The value without what the comparison of prefixes ignores: cache_control, blank text, str or block."""
    if isinstance(value, list):
        kept = [_comparable(item) for item in value]
        return [item for item in kept if item != ""]
    if isinstance(value, str):
        return value.strip()
    if not isinstance(value, dict):
        return value
    if value.get("type") == "text" and isinstance(value.get("text"), str):
        return value["text"].strip()
    inner = {key: _comparable(item) for key, item in value.items() if key != SPARED}
    if isinstance(inner.get("content"), str):
        inner["content"] = [inner["content"]] if inner["content"] else []
    return inner


def prefix_digest(body: Body, turn_count: int) -> str:
    """A hash of system, tools and the first `turn_count` turns of the conversation.

    As documented for preserved thinking, it ignores cache_control, a string in place of one text block,
    blanks around text, blocks of blanks only, the order of keys and the order of tools.
    """
    system = body.get("system", [])
    tools = sorted(json.dumps(_comparable(tool), sort_keys=True) for tool in body.get("tools", []))
    talk = [(role, _comparable(found)) for role, found in turns(body)[:turn_count]]
    parts = [_comparable([system] if isinstance(system, str) else system), tools, talk]
    return digest(json.dumps(parts, sort_keys=True))


def answer_prefix_digest(body: Body) -> str:
    """The prefix of the answer to come; a paused assistant turn at the end belongs to the answer."""
    so_far = turns(body)
    begun = bool(so_far) and so_far[-1][0] == "assistant"
    return prefix_digest(body, len(so_far) - begun)
