"""An upstream's sentence -> the one that OpenAI writes for the same, where its clients tell an error by its words."""

from __future__ import annotations

import re

_TOO_LONG = re.compile(r"(?P<prompt>\d{1,12}) tokens > (?P<limit>\d{1,12}) maximum")
_TOO_MUCH = re.compile(r"context limit: (?P<prompt>\d{1,12}) \+ (?P<answer>\d{1,12}) > (?P<limit>\d{1,12})")
_UNKNOWN_MODEL = re.compile(r"model: (?P<name>[^`\n]{1,200})")
_NO_KEY = re.compile(r"\b(required|missing|no (api )?key)\b", re.IGNORECASE)
_KNOWN = re.compile("maximum context length|Incorrect API key", re.IGNORECASE)


def openai_words(code: str | None, message: str) -> str:
    """`message`, with OpenAI's own sentence for `code` behind it if it lacks that.

    Newer OpenAI SDKs show no more than the message, so LiteLLM, CrewAI, Continue and pi look for "maximum context
    length" or "reduce the length of the messages" in it before they shorten a history, and LiteLLM takes a 401 without
    "Incorrect API key provided" for a bad request. The sentences are those of OpenAI's API, as observed.
    """
    if _KNOWN.search(message):
        return message
    if code == "model_not_found":
        unknown = _UNKNOWN_MODEL.fullmatch(message)
        theirs = f"The model `{unknown['name']}` does not exist or you do not have access to it." if unknown else ""
        return f"{message} ({theirs})" if theirs else message
    if code == "context_length_exceeded":
        return f"{message} ({_context_words(message)})"
    if code == "invalid_api_key":
        lacks = "You didn't provide an API key." if _NO_KEY.search(message) else "Incorrect API key provided."
        return f"{message} ({lacks})"
    return message


def _context_words(message: str) -> str:
    if found := _TOO_LONG.search(message):
        return (
            f"This model's maximum context length is {found['limit']} tokens. However, your messages resulted in "
            f"{found['prompt']} tokens. Please reduce the length of the messages."
        )
    if found := _TOO_MUCH.search(message):
        asked = int(found["prompt"]) + int(found["answer"])
        return (
            f"This model's maximum context length is {found['limit']} tokens. However, you requested {asked} tokens "
            f"({found['prompt']} in the messages, {found['answer']} in the completion). Please reduce the length of "
            "the messages or completion."
        )
    return "This model's maximum context length is exceeded. Please reduce the length of the messages."
