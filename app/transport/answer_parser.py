"""What llhttp (httptools) reads in the bytes of an answer."""

from __future__ import annotations

import httptools

_INTERIM = {100, *range(102, 200)}
"""Statuses behind which the answer follows: a client must take any number of them, asked for or not (RFC 9110, 15.2).
Behind 101 comes another protocol."""


class AnswerParser:
    """Bytes -> status, headers and body of one answer, and whether another may follow on its connection."""

    def __init__(self) -> None:
        self._parser = httptools.HttpResponseParser(self)
        # As curl, Go and requests read what old servers and gateways write.
        self._parser.set_dangerous_leniencies(lenient_chunked_length=True, lenient_spaces_after_chunk_size=True)
        self._surplus = False
        self._keeps_alive = False
        self.status = 0
        self.headers: dict[str, str] = {}
        """By lower-case name; of several equal ones the last."""
        self.body: list[bytes] = []
        self.head_complete = False
        self.complete = self.broken = False
        self.ends_with_connection = True
        """No length was announced: the body is all that comes until the upstream closes."""

    def feed(self, data: bytes) -> None:
        """Raises httptools.HttpParserError for a broken head; what is wrong behind it is only remembered."""
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            if not self.head_complete:
                raise
            self.broken = not self.complete
            self._surplus = True

    def close(self) -> None:
        """Nothing more is fed. llhttp's parser holds this one: they would wait for the garbage collector."""
        del self._parser

    def end(self) -> None:
        """The connection ended, and with it an answer without length."""
        self.complete = self._surplus = True

    @property
    def reusable(self) -> bool:
        return self.complete and not self._surplus and self._keeps_alive

    # What llhttp calls while it parses.
    def on_message_begin(self) -> None:
        self._surplus = self._surplus or self.head_complete

    def on_header(self, name: bytes, value: bytes) -> None:
        if self.head_complete:
            return
        self.headers[name.lower().decode("latin-1")] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        if self.head_complete:
            return
        self.status = self._parser.get_status_code()
        if self.status in _INTERIM:
            self.headers.clear()
        else:
            self.head_complete = True
            self._note_framing()

    def _note_framing(self) -> None:
        """Where the body ends (RFC 9112, 6.3)."""
        has_length = "content-length" in self.headers
        coding = self.headers.get("transfer-encoding")
        if coding is None:
            self.ends_with_connection = not has_length
        else:
            self.ends_with_connection = not coding.rstrip().lower().endswith("chunked")
            # The length is ignored, but whoever writes both may not mean what is read behind them.
            self._surplus = has_length

    def on_body(self, data: bytes) -> None:
        if not self.complete:
            self.body.append(data)

    def on_message_complete(self) -> None:
        if self.head_complete and not self.complete:
            # Afterwards llhttp has forgotten what the answer to this depends on, and says no.
            self._keeps_alive = self._parser.should_keep_alive()
            self.complete = True
