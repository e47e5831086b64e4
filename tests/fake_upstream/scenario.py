"""What the fake model answers: a message, decided by the request alone."""

import json
import re
from typing import Any

from .conversation import (
    FORCING,
    blocks,
    ends_paused,
    estimated_tokens,
    thinking_type,
    thinks,
    tool_name_of,
    turns,
)
from .personalities import Personality, opaque_signature
from .profiles import ModelProfile
from .samples import sample
from .script import Call, Script, script
from .signatures import Seal, answer_prefix_digest, digest
from .terms import Block, Body, Terms

THOUGHT = "The user wants an answer. I will think about it briefly; naïve, 思考, 🤔."
SEARCH_URL = "https://example.com/article"


def last_user_blocks(body: Body) -> list[Block]:
    """The blocks of the last user turn."""
    return next((found for role, found in reversed(turns(body)) if role == "user"), [])


def _result_text(block: Block) -> str:
    return " ".join(inner.get("text", f"<{inner['type']}>") for inner in blocks(block.get("content")))


def script_of(body: Body) -> Script:
    """The script in the last user message's texts, or, when it has none, in its tool results."""
    found = last_user_blocks(body)
    said = [block["text"] for block in found if block["type"] == "text"]
    return script("\n".join(said or [_result_text(block) for block in found if block["type"] == "tool_result"]))


class Author:
    """Writes one answer's content blocks and stop reason."""

    def __init__(self, body: Body, profile: ModelProfile, personality: Personality) -> None:
        self.body, self.profile, self.personality = body, profile, personality
        self.script = script_of(body)
        asked = {name: value for name, value in body.items() if name != "stream"}
        self.seed = digest(json.dumps(asked, sort_keys=True))
        self.tools: dict[str, Block] = {tool_name_of(tool): tool for tool in body.get("tools") or []}

    def message(self) -> dict[str, Any]:
        """The whole message, with usage."""
        content, stop_reason = self._ending()
        content, stop_reason, stop_sequence = _stopped(content, stop_reason, self.body.get("stop_sequences") or [])
        asked = self.script.markers.get("stop")
        return {
            "id": f"msg_01{self.seed[:22]}",
            "type": "message",
            "role": "assistant",
            "model": self.body["model"],
            "content": content,
            "stop_reason": asked or stop_reason,
            "stop_sequence": stop_sequence,
            "stop_details": _refusal_details() if stop_reason == "refusal" else None,
            "usage": self._usage(content),
        }

    def _ending(self) -> tuple[list[Block], str]:
        """(content, stop reason), thinking first."""
        if self.body.get("max_tokens") == 0:
            return [], "max_tokens"
        if "refuse" in self.script:
            return [], "refusal"
        if "empty" in self.script:
            return self._thinking(), "end_turn"
        if self._pauses():
            return self._search(f"{self.seed[:16]}"), "pause_turn"
        calls = self._calls()
        if not calls:
            return (
                self._thinking() + self._texts(),
                "max_tokens" if "max_tokens" in self.script else "end_turn",
            )
        texts = self._texts() if "text" in self.script else []
        return self._thinking() + texts + calls, "tool_use"

    def _pauses(self) -> bool:
        """As often as `[[pause:N]]` says, counted by the searches in the turn so far."""
        if "pause" not in self.script:
            return False
        if not ends_paused(self.body):
            return True
        _, turn = turns(self.body)[-1]
        done = sum(block["type"] == "server_tool_use" for block in turn)
        return bool(done < self.script.number("pause", 1))

    def _thinking(self) -> list[Block]:
        terms = Terms(self.profile)
        wanted = thinks(self.body, terms) or "think" in self.script
        forced = (self.body.get("tool_choice") or {}).get("type") in FORCING
        if thinking_type(self.body) == "disabled" or forced or not (wanted or "redacted" in self.script):
            return []
        kinds = ["thinking"] * wanted + ["redacted_thinking"] * ("redacted" in self.script)
        return [self._thought(kind, place, len(kinds)) for place, kind in enumerate(kinds)]

    def _thought(self, kind: str, place: int, of: int) -> Block:
        display = (self.body.get("thinking") or {}).get("display") or self.profile.thinking_display
        text = THOUGHT if kind == "thinking" and display == "summarized" else ""
        signature = opaque_signature(self.personality, f"{self.seed}{place}")
        if self.personality.signature == "seal":
            signature = Seal(digest(text), answer_prefix_digest(self.body), self.seed, place, of).signed()
        if kind == "redacted_thinking":
            return {"type": kind, "data": signature or "opaque"}
        block = {"type": kind, "thinking": text}
        return block if signature is None else {**block, "signature": signature}

    def _calls(self) -> list[Block]:
        choice = self.body.get("tool_choice") or {"type": "auto"}
        wanted = [self._offered(call) for call in self.script.calls]
        calls = [call for call in wanted if call is not None]
        if choice["type"] == "none" or not self.tools:
            return []
        if choice["type"] == "tool" and choice["name"] in self.tools:
            calls = [call for call in calls if call.name == choice["name"]] or [Call(choice["name"])]
        elif choice["type"] == "any" and not calls:
            calls = [Call(next(iter(self.tools)))]
        if choice.get("disable_parallel_tool_use"):
            calls = calls[:1]
        return [self._tool_use(call, position) for position, call in enumerate(calls)]

    def _offered(self, call: Call) -> Call | None:
        """The call by the name that the request offers: `#0` is the first tool, odd characters became _."""
        names = list(self.tools)
        place = call.name.removeprefix("#")
        if call.name != place and place.isdecimal() and int(place) < len(names):
            return Call(names[int(place)], call.input)
        legal = re.sub(r"[^a-zA-Z0-9_-]", "_", call.name)
        found = next((name for name in (call.name, legal) if name in self.tools), None)
        return Call(found, call.input) if found else None

    def _tool_use(self, call: Call, position: int) -> Block:
        schema = self.tools[call.name].get("input_schema", {})
        history = [block for message in self.body["messages"] for block in blocks(message["content"])]
        number = sum(block.get("type") == "tool_use" for block in history) + position
        made = self.personality.tool_id(call.name, digest(f"{self.seed}{position}"), number)
        arguments = sample(schema) if call.input is None else call.input
        return {"type": "tool_use", "id": made, "name": call.name, "input": arguments}

    def _search(self, key: str) -> list[Block]:
        made = f"srvtoolu_01{key}"
        result = {
            "type": "web_search_result",
            "url": SEARCH_URL,
            "title": "An article",
            "encrypted_content": "RW5jcnlwdGVk",
            "page_age": None,
        }
        return [
            {
                "type": "server_tool_use",
                "id": made,
                "name": "web_search",
                "input": {"query": self.script.text},
            },
            {"type": "web_search_tool_result", "tool_use_id": made, "content": [result]},
        ]

    def _texts(self) -> list[Block]:
        wanted = ((self.body.get("output_config") or {}).get("format")) or {}
        if wanted.get("schema"):
            return [{"type": "text", "text": json.dumps(sample(wanted["schema"]), ensure_ascii=False)}]
        block: Block = {"type": "text", "text": self._reply()}
        if "cite-document" in self.script:
            return [{**block, "citations": [_document_citation()]}]
        if "cite" in self.script:
            return [*self._search(self.seed[:16]), {**block, "citations": [_web_citation()]}]
        return [block]

    def _reply(self) -> str:
        found = last_user_blocks(self.body)
        results = [b for b in found if b["type"] == "tool_result"]
        media = [b["type"] for b in found if b["type"] in ("image", "document")]
        parts = [f"Tool {b['tool_use_id']} returned: {_result_text(b)}" for b in results]
        spoken = script("\n".join(b["text"] for b in found if b["type"] == "text")).text
        if spoken or not results:
            parts.append(f"You said: {spoken}")
        if media:
            parts.append(f"with {', '.join(media)}")
        unoffered = [call.name for call in self.script.calls if self._offered(call) is None]
        parts += [f"(no tool {name} was offered)" for name in unoffered]
        reply = "; ".join(parts) * int(self.script.number("repeat", 1))
        return reply[: len(reply) // 2 + 1] if "max_tokens" in self.script else reply

    def _usage(self, content: list[Block]) -> dict[str, Any]:
        tokens = estimated_tokens(self.body)
        cached = min(tokens - 1, 1000) if "cached" in self.script else 0
        thought = sum(len(block.get("thinking", "")) for block in content) // 4
        searches = sum(block["type"] == "server_tool_use" for block in content)
        return {
            "input_tokens": tokens - cached,
            "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": cached,
            "output_tokens": 1 + len(json.dumps(content, ensure_ascii=False)) // 4,
            "output_tokens_details": {"thinking_tokens": thought},
            "server_tool_use": {"web_search_requests": searches} if searches else None,
        }


def _stopped(content: list[Block], stop_reason: str, sequences: list[str]) -> tuple[list[Block], str, str | None]:
    """The answer cut at the first stop sequence in its last text."""
    text = content[-1].get("text", "") if content else ""
    hits = sorted((text.index(sequence), sequence) for sequence in sequences if sequence in text)
    if not hits:
        return content, stop_reason, None
    at, sequence = hits[0]
    kept = [{**content[-1], "text": text[:at]}] if at else []
    return content[:-1] + kept, "stop_sequence", sequence


def _refusal_details() -> dict[str, Any]:
    return {"type": "refusal", "category": "general_harms", "explanation": "The request was declined."}


def _web_citation() -> dict[str, Any]:
    return {
        "type": "web_search_result_location",
        "cited_text": "An article says so.",
        "encrypted_index": "SW5kZXg=",
        "title": "An article",
        "url": SEARCH_URL,
    }


def _document_citation() -> dict[str, Any]:
    return {
        "type": "char_location",
        "cited_text": "The document says so.",
        "document_index": 0,
        "document_title": None,
        "start_char_index": 0,
        "end_char_index": 21,
    }
