"""A fake Anthropic upstream that refuses what the real API refuses, and answers like several real ones.

Markers in the last user text choose the answer (script.py reads them):

- the message: `[[tool:NAME {"a": 1}]]` (once for each parallel call; `#0` is the first tool offered),
  `[[text]]` (text before the calls), `[[think]]`, `[[redacted]]`, `[[refuse]]`, `[[empty]]`,
  `[[max_tokens]]`, `[[stop:REASON]]`, `[[pause]]`, `[[pause:N]]`, `[[cite]]`, `[[cite-document]]`,
  `[[cached]]`, `[[repeat:N]]`
- errors: `[[error:429]]`, with `[[error-shape:NAME]]` and `[[error-status:200]]`; `[[error-first]]`,
  `[[error-midstream]]`; `[[header:NAME=VALUE]]`
- the stream's events: `[[holes]]`, `[[no-block-starts]]`, `[[no-block-stops]]`, `[[input-at-start]]`,
  `[[surrogates]]`, `[[null-usage]]`, `[[late-delta]]`, `[[unknown-events]]`
- the stream's bytes: `[[cut]]`, `[[cut:N]]`, `[[glued]]`, `[[comments]]`, `[[done]]`, `[[no-event-lines]]`,
  `[[no-space]]`, `[[two-data-lines]]`, `[[no-final-blank-line]]`, `[[bom]]`, `[[crlf]]`, `[[cr]]`
- the transport: `[[split:N]]`, `[[slow:SECONDS]]`, `[[wait:SECONDS]]`, `[[drop]]`, `[[close-delimited]]`,
  `[[json-instead-of-sse]]`, `[[sse-instead-of-json]]`

Anything else is echoed; tool results are quoted back.
"""

from .profiles import LEGACY, V46, V47, V55, ModelProfile, profile_for
from .rules import LEGAL_HEADERS, refusal
from .rules_top_level import Refusal
from .server import FakeUpstream, RecordedRequest, responses_callback

__all__ = [
    "LEGACY",
    "LEGAL_HEADERS",
    "V46",
    "V47",
    "V55",
    "FakeUpstream",
    "ModelProfile",
    "RecordedRequest",
    "Refusal",
    "profile_for",
    "refusal",
    "responses_callback",
]
