"""Reading a Messages stream back: frames to events, events to the message they stand for."""

import json
from typing import Any


def parsed(stream: bytes) -> list[dict[str, Any]]:
    """The events of an SSE body, each checked to name its type in both lines."""
    events = []
    for frame in stream.decode().removesuffix("\n\n").split("\n\n"):
        event_line, data_line = frame.split("\n")
        event = json.loads(data_line.removeprefix("data: "))
        assert event_line == f"event: {event['type']}"
        events.append(event)
    return events


def folded(events: list[dict[str, Any]]) -> dict[str, Any]:
    """The message that a complete stream stands for, folded as the API documents it."""
    message: dict[str, Any] = {}
    partial_json = ""
    for event in events:
        match event["type"]:
            case "message_start":
                message = event["message"]
            case "content_block_start":
                assert event["index"] == len(message["content"])
                message["content"].append(event["content_block"])
                partial_json = ""
            case "content_block_delta":
                block, delta = message["content"][event["index"]], event["delta"]
                match delta["type"]:
                    case "text_delta":
                        block["text"] += delta["text"]
                    case "thinking_delta":
                        block["thinking"] += delta["thinking"]
                    case "signature_delta":
                        block["signature"] = delta["signature"]
                    case "input_json_delta":
                        partial_json += delta["partial_json"]
                        block["input"] = partial_json
            case "content_block_stop":
                block = message["content"][event["index"]]
                if block["type"] == "tool_use":
                    block["input"] = json.loads(partial_json or "{}")
            case "message_delta":
                message |= event["delta"]
                message["usage"] |= event["usage"]
    return message
