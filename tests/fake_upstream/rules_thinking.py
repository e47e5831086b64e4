"""Rules about thinking, its signed blocks, sampling and effort."""

import itertools
from collections.abc import Iterator
from typing import NamedTuple

from .conversation import blocks, messages, thinking_type
from .signatures import Seal, digest, prefix_digest
from .terms import SAMPLING_FREE_VERSION, Block, Body, Rule, Terms

THINKING = ("thinking", "redacted_thinking")
DEFAULTS = {"temperature": 1, "top_p": 1}
SAMPLING = ("temperature", "top_p", "top_k")
LEAST_TOP_P = 0.95
CONSULT = "Please consult our documentation at https://docs.claude.com/en/docs/build-with-claude/extended-thinking"
CANNOT_MODIFY = (
    "`thinking` or `redacted_thinking` blocks in the latest assistant message cannot be modified. "
    "These blocks must remain as they were in the original response."
)


def thinking_type_unsupported(body: Body, terms: Terms) -> str | None:
    """A thinking type that this model does not take."""
    kind = thinking_type(body)
    if kind is None or kind in terms.profile.thinking_types:
        return None
    if kind == "adaptive":
        return "adaptive thinking is not supported on this model"
    return (
        f'"thinking.type.{kind}" is not supported for this model. Use "thinking.type.adaptive" and '
        '"output_config.effort" to control thinking behavior.'
    )


def disabled_thinking_with_high_effort(body: Body, terms: Terms) -> str | None:
    """Thinking switched off on a model that allows it at modest effort only."""
    efforts, effort = terms.profile.disabled_thinking_efforts, (body.get("output_config") or {}).get("effort")
    if efforts is None or effort is None or effort in efforts or thinking_type(body) != "disabled":
        return None
    return f"\"thinking.type.disabled\" is not supported for this model with effort level '{effort}'."


def budget_beyond_max_tokens(body: Body, terms: Terms) -> str | None:
    """The budget must leave room for the answer, unless thinking is interleaved."""
    budget = (body.get("thinking") or {}).get("budget_tokens")
    if budget is None or terms.counting or budget < body["max_tokens"] or terms.has_beta("interleaved-thinking-"):
        return None
    return f"`max_tokens` must be greater than `thinking.budget_tokens`. {CONSULT}#max-tokens"


def sampling_with_thinking(body: Body, _terms: Terms) -> str | None:
    """Sampling parameters yield to thinking."""
    if thinking_type(body) not in ("enabled", "adaptive", "between_tools"):
        return None
    mode = "when thinking is enabled or in adaptive mode"
    if body.get("temperature", 1) != 1:
        return f"`temperature` may only be set to 1 {mode}. {CONSULT}#important-considerations"
    if body.get("top_p", 1) < LEAST_TOP_P:
        return f"`top_p` must be greater than or equal to 0.95 or unset {mode}. {CONSULT}"
    return f"`top_k` must be unset {mode}. {CONSULT}" if "top_k" in body else None


def sampling_unsupported(body: Body, terms: Terms) -> str | None:
    """Sampling parameters on a model, or in an API version, without them."""
    given = [name for name in SAMPLING if name in body]
    if terms.version == SAMPLING_FREE_VERSION and given:
        return f"`{given[0]}` is not supported in API version {SAMPLING_FREE_VERSION}."
    if terms.profile.sampling == "default":
        given = [name for name in given if body[name] != DEFAULTS.get(name)]
    refused = terms.profile.sampling in ("none", "default") and given
    return f"`{given[0]}` is deprecated for this model." if refused else None


def temperature_and_top_p(body: Body, terms: Terms) -> str | None:
    """Both on a model that takes one of them."""
    if terms.profile.sampling != "one" or not {"temperature", "top_p"} <= set(body):
        return None
    return "`temperature` and `top_p` cannot both be specified for this model. Please use only one."


def effort_unsupported(body: Body, terms: Terms) -> str | None:
    """An effort level that the model does not have."""
    effort, efforts = (body.get("output_config") or {}).get("effort"), terms.profile.efforts
    if effort is None or effort in efforts:
        return None
    if not efforts:
        return "This model does not support the effort parameter."
    levels = ", ".join(sorted(efforts))
    return f"This model does not support effort level '{effort}'. Supported levels: {levels}."


def blank_stop_sequence(body: Body, _terms: Terms) -> str | None:
    """A stop sequence without visible text."""
    blank = any(not text.strip() for text in body.get("stop_sequences", []))
    return "stop_sequences: each stop sequence must contain non-whitespace" if blank else None


def open_loop_without_thinking(body: Body, _terms: Terms) -> str | None:
    """With `enabled`, an assistant turn whose tools were just answered must start with its thinking.

    The turn may begin one message earlier: calls after the first need no thinking of their own.
    """
    sent = [message for message in body["messages"] if message["role"] != "system"]
    if thinking_type(body) != "enabled" or not _answers_tools(sent[-1]):
        return None
    back = itertools.takewhile(lambda message: message["role"] == "assistant" or _answers_tools(message), sent[::-1])
    loop = [message for message in back if message["role"] == "assistant"]
    last = body["messages"].index(loop[0])
    kinds = [blocks(message["content"])[0]["type"] for message in (loop[-1], loop[0])]
    if set(kinds) & set(THINKING):
        return None
    return (
        f"messages.{last}.content.0.type: Expected `thinking` or `redacted_thinking`, but found "
        f"`{kinds[-1]}`. When `thinking` is enabled, a final `assistant` message must start with a thinking "
        "block (preceeding the lastmost set of `tool_use` and `tool_result` blocks). We recommend you "
        "include thinking blocks from previous turns. To avoid this requirement, disable `thinking`. " + CONSULT
    )


def _answers_tools(message: Block) -> bool:
    return message["role"] == "user" and any(b["type"] == "tool_result" for b in blocks(message["content"]))


def thinking_last_in_message(body: Body, _terms: Terms) -> str | None:
    """A thinking block as the end of an assistant message."""
    for index, found in messages(body, "assistant"):
        if found and found[-1]["type"] in THINKING:
            return f"messages.{index}: The final block in an assistant message cannot be `{found[-1]['type']}`."
    return None


class Replayed(NamedTuple):
    """A thinking block that the client sent back: where, in which turn, and the seal on it."""

    path: str
    turn: int
    block: Block
    seal: Seal | None


def _replayed(body: Body) -> Iterator[Replayed]:
    turn, before = -1, None
    for index, message in enumerate(body["messages"]):
        turn += message["role"] != before
        before = message["role"]
        for position, block in enumerate(blocks(message["content"])):
            if block["type"] in THINKING:
                seal = Seal.opened(block.get("signature") or block.get("data") or "")
                yield Replayed(f"messages.{index}.content.{position}", turn, block, seal)


def _latest_turn(found: list[Replayed], body: Body) -> list[Replayed]:
    roles = [message["role"] for message in body["messages"]]
    changes = [i for i, role in enumerate(roles) if i == 0 or role != roles[i - 1]]
    latest = max((turn for turn, i in enumerate(changes) if roles[i] == "assistant"), default=None)
    return [replayed for replayed in found if replayed.turn == latest]


def unsigned_empty_thinking(body: Body, terms: Terms) -> str | None:
    """Neither text nor signature."""
    if not terms.profile.verifies_signatures:
        return None
    for path, _, block, _ in _replayed(body):
        if block["type"] == "thinking" and not block["thinking"] and not block["signature"]:
            return f"{path}.thinking: each thinking block must contain thinking"
    return None


def foreign_thinking(body: Body, terms: Terms) -> str | None:
    """A thinking block that was not issued here, or whose text is not the one that was signed."""
    if not terms.profile.verifies_signatures:
        return None
    found = list(_replayed(body))
    latest = {replayed.path for replayed in _latest_turn(found, body)}
    for path, _, block, seal in found:
        if seal is not None and seal.text == digest(block.get("thinking", "")):
            continue
        if seal is not None and path in latest:
            return f"{path}: {CANNOT_MODIFY}"
        field = "signature" if block["type"] == "thinking" else "data"
        return f"{path}: Invalid `{field}` in `{block['type']}` block"
    return None


def thinking_dropped_or_reordered(body: Body, terms: Terms) -> str | None:
    """The latest assistant turn holds some of an answer's thinking blocks, but not all in their order."""
    if not terms.profile.verifies_signatures:
        return None
    places: dict[str, list[int]] = {}
    for path, _, _, seal in _latest_turn(list(_replayed(body)), body):
        if seal is None:
            continue
        seen = places.setdefault(seal.answer, [])
        if seal.place != len(seen):
            return f"{path}: {CANNOT_MODIFY}"
        seen.append(seal.of)
    short = any(seen[0] != len(seen) for seen in places.values())
    last = max((i for i, m in enumerate(body["messages"]) if m["role"] == "assistant"), default=0)
    return f"messages.{last}.content.0: {CANNOT_MODIFY}" if short else None


def thinking_of_another_conversation(body: Body, terms: Terms) -> str | None:
    """Thinking bound to its prefix, behind a prefix that has changed."""
    binding = (body.get("thinking") or {}).get("block_binding") or {}
    if not terms.profile.binds_thinking_to_prefix or binding.get("prefix_mismatch_behavior") == "drop_block":
        return None
    for path, turn, block, seal in _replayed(body):
        if seal is not None and seal.prefix != prefix_digest(body, turn):
            field = "signature" if block["type"] == "thinking" else "data"
            return (
                f"{path}: Invalid `{field}` in `{block['type']}` block. The block is bound to a different "
                "conversation. Remove the block, or set `thinking.block_binding.prefix_mismatch_behavior` to "
                '"drop_block".'
            )
    return None


RULES: tuple[Rule, ...] = (
    thinking_type_unsupported,
    disabled_thinking_with_high_effort,
    budget_beyond_max_tokens,
    sampling_unsupported,
    sampling_with_thinking,
    open_loop_without_thinking,
    unsigned_empty_thinking,
    foreign_thinking,
    thinking_dropped_or_reordered,
    thinking_last_in_message,
    thinking_of_another_conversation,
    temperature_and_top_p,
    effort_unsupported,
    blank_stop_sequence,
)
