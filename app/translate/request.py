"""A chat request -> the Messages request that this upstream and model accept, and how its answer must look."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from app.errors import InvalidRequest
from app.profiles import Profile
from app.translate.cache import place_breakpoints
from app.translate.checks import a_string, an_array, an_object, missing
from app.translate.content import Block, is_blank, text_block
from app.translate.identifiers import ToolNames, digest
from app.translate.messages import History, HistoryReader
from app.translate.parameters import PASSED_ON, check_parameters
from app.translate.reasoning import ThinkingPlan, reasoning, thinking_plan
from app.translate.report import Report
from app.translate.response_format import JsonPlan, json_format, json_plan
from app.translate.thinking_blocks import Remembered
from app.translate.tools import (
    Toolbox,
    ToolChoice,
    ToolForm,
    add_stubs,
    tool_choice,
    toolbox,
    web_search_tool,
)

_MAX_USER_ID = 512
_PERSONAL = re.compile(r"@|^\+?[\d\s().-]{7,}$")
_SERVICE_TIERS = {
    "auto": "auto",
    "default": "standard_only",
    "priority": "auto",
    "standard_only": "standard_only",
}


@dataclass(frozen=True)
class Options:
    """The settings that translation depends on."""

    default_max_tokens: int = 32_000
    strict_params: bool = False
    auto_cache_control: bool = False


@dataclass(frozen=True)
class AnswerForm:
    """What the way back must know of the request: tool names and forms, and how JSON was asked for."""

    model: str
    names: ToolNames = field(default_factory=lambda: ToolNames(64))
    tools: Mapping[str, ToolForm] = field(default_factory=dict)
    legacy: bool = False
    json_answer: str | None = None
    """`tool`: the answer is a tool's input; `text`: it stands somewhere in the text."""
    include_usage: bool = False

    def tool(self, sent_name: str) -> ToolForm:
        """The form of a tool by the name the upstream uses; one it made up comes back as a plain function."""
        return self.tools.get(sent_name) or ToolForm(self.names.restored(sent_name))


@dataclass(frozen=True)
class Translation:
    """A Messages request, the betas it needs, how to answer, and what was not quite mapped."""

    body: Block
    answer: AnswerForm
    betas: tuple[str, ...]
    ignored: tuple[str, ...]
    adjusted: tuple[str, ...]


def messages_request(
    chat_request: Block,
    requested_model: str,
    upstream_model: str,
    profile: Profile,
    options: Options,
    remembered: Remembered | None = None,
) -> Translation:
    """The Messages request for a chat request; the same history always gives the same bytes.

    `remembered` holds thinking blocks by tool call id for clients that do not send them back.
    Raises InvalidRequest with the path of a field that is wrong or cannot be sent.
    """
    report = Report(options.strict_params)
    check_parameters(chat_request, report)
    if chat_request.get("messages") is None:
        raise missing("messages")
    if not chat_request["messages"]:
        raise InvalidRequest(
            "Invalid 'messages': empty array. Expected an array with minimum length 1.",
            param="messages",
            code="empty_array",
        )
    box = toolbox(chat_request, profile, report)
    history = HistoryReader(profile, box, remembered or {}, report).read(chat_request["messages"])
    choice = tool_choice(chat_request, box) if box.definitions else None
    wish = reasoning(chat_request)
    format = json_format(chat_request)
    plan = json_plan(format, profile, box, choice, bool(wish.on), report) if format is not None else JsonPlan()
    choice = _possible(plan.choice or choice, box, history, profile, report)
    thinking = thinking_plan(
        wish,
        profile,
        _max_tokens(chat_request, profile, report),
        _at_most(options.default_max_tokens, profile.max_output_tokens),
        _yields_to(choice, history, profile),
        report,
    )
    body: Block = {"model": upstream_model, "max_tokens": thinking.max_tokens}
    _add_system(body, history, plan.hint)
    body["messages"] = history.messages
    _add_tools(body, chat_request, box, choice, profile, report)
    _add_output(body, thinking, plan)
    _add_sampling(body, chat_request, profile, thinking, report)
    _add_rest(body, chat_request, profile, report)
    place_breakpoints(body, options.auto_cache_control, profile, report)
    stream_options = chat_request.get("stream_options") or {}
    answer = AnswerForm(
        requested_model,
        box.names,
        box.forms,
        box.legacy,
        "tool" if plan.tool else "text" if plan.hint else None,
        stream_options.get("include_usage") is True,
    )
    return Translation(body, answer, _betas(chat_request), report.ignored, report.adjusted)


def _max_tokens(chat_request: Block, profile: Profile, report: Report) -> int | None:
    for name in ("max_completion_tokens", "max_tokens"):
        wanted = chat_request.get(name)
        if wanted is not None:
            fitting = _at_most(int(wanted), profile.max_output_tokens)
            if fitting != wanted:
                report.adjust(name, fitting)
            return fitting
    return None


def _at_most(number: int, limit: int) -> int:
    return min(number, limit) if limit else number


def _possible(
    choice: ToolChoice | None, box: Toolbox, history: History, profile: Profile, report: Report
) -> ToolChoice | None:
    """The choice that this model takes, tools for the history's calls included."""
    if choice and choice.allowed is not None:
        for name in [name for name in box.definitions if name not in choice.allowed]:
            del box.definitions[name]
    if history.tool_names and not box.definitions:
        add_stubs(box, history.tool_names)
        choice = ToolChoice("none")
    if choice and choice.forced and not profile.forced_tool_choice:
        report.adjust("tool_choice", "auto")
        choice = ToolChoice("auto")
    if choice and choice.mode == "none" and not profile.tool_choice_none:
        if history.tool_names:
            report.adjust("tool_choice", "auto")
        else:
            box.definitions.clear()
        choice = None
    return choice


def _yields_to(choice: ToolChoice | None, history: History, profile: Profile) -> str | None:
    """Why thinking must stay off, in a word, or None."""
    if choice and choice.forced and not profile.forced_tool_choice_while_thinking:
        return "tool_choice"
    if history.prefilled:
        return "prefill"
    if history.thinking_lost and "adaptive" not in profile.thinking:
        return "no thinking blocks"
    return None


def _add_system(body: Block, history: History, hint: str | None) -> None:
    blocks = [*history.system, *([text_block(hint)] if hint else [])]
    if any("cache_control" in block for block in blocks):
        body["system"] = blocks
    elif blocks:
        body["system"] = "\n\n".join(block["text"] for block in blocks)


def _add_tools(
    body: Block,
    chat_request: Block,
    box: Toolbox,
    choice: ToolChoice | None,
    profile: Profile,
    report: Report,
) -> None:
    tools = list(box.definitions.values())
    if chat_request.get("web_search_options") is not None:
        search = web_search_tool(chat_request["web_search_options"])
        if profile.web_search:
            tools.append(search)
        else:
            report.ignore("web_search_options")
    if not tools:
        return
    body["tools"] = tools
    sent: Block = {"type": choice.mode} if choice else {}
    if choice and choice.name:
        sent["name"] = choice.name
    if chat_request.get("parallel_tool_calls") is False and sent.get("type") != "none":
        sent = {"type": "auto"} | sent | {"disable_parallel_tool_use": True}
    if sent:
        body["tool_choice"] = sent


def _add_output(body: Block, thinking: ThinkingPlan, plan: JsonPlan) -> None:
    if thinking.thinking:
        body["thinking"] = thinking.thinking
    output: Block = {}
    if thinking.effort:
        output["effort"] = thinking.effort
    if plan.native:
        output["format"] = plan.native
    if output:
        body["output_config"] = output


def _add_sampling(body: Block, chat_request: Block, profile: Profile, thinking: ThinkingPlan, report: Report) -> None:
    """temperature, top_p and top_k as far as the model takes them, and takes them together or with thinking."""
    temperature, top_p, top_k = (chat_request.get(name) for name in ("temperature", "top_p", "top_k"))
    bound = thinking.active and not profile.sampling_while_thinking
    if temperature is not None:
        if profile.sampling == "none" or bound:
            if temperature != 1:
                report.ignore("temperature")
            temperature = None
        elif temperature > 1:
            temperature = 1
            report.adjust("temperature", 1)
    if top_p is not None and (
        profile.sampling == "none"
        or (bound and top_p < 0.95)
        or (profile.sampling == "one" and temperature is not None)
    ):
        if top_p != 1:
            report.ignore("top_p")
        top_p = None
    if top_k is not None and (profile.sampling == "none" or bound or top_k < 0):
        report.ignore("top_k")
        top_k = None
    for name, value in (("temperature", temperature), ("top_p", top_p), ("top_k", top_k)):
        if value is not None:
            body[name] = value


def _add_rest(body: Block, chat_request: Block, profile: Profile, report: Report) -> None:
    stop = chat_request.get("stop")
    words = [stop] if isinstance(stop, str) else list(stop or ())
    sequences = list(dict.fromkeys(word for word in words if not is_blank(word)))
    if len(sequences) < len(set(words)):
        report.ignore("stop")
    if sequences and profile.stop_sequences:
        body["stop_sequences"] = sequences
    elif sequences:
        report.ignore("stop")
    if chat_request.get("stream"):
        body["stream"] = True
    if user_id := _user_id(chat_request, report):
        body["metadata"] = {"user_id": user_id}
    tier = chat_request.get("service_tier")
    if tier is not None:
        if profile.service_tier and tier in _SERVICE_TIERS:
            body["service_tier"] = _SERVICE_TIERS[tier]
        elif tier not in {"auto", "default"}:
            report.ignore("service_tier")
    for name in PASSED_ON:
        if chat_request.get(name) is not None:
            body[name] = chat_request[name]


def _user_id(chat_request: Block, report: Report) -> str | None:
    """The end user's id: opaque, at most 512 characters; what looks like an e-mail or phone number is hashed."""
    metadata = chat_request.get("metadata") or {}
    if set(metadata) - {"user_id"}:
        report.ignore("metadata")
    for path, id in (
        ("metadata.user_id", metadata.get("user_id")),
        ("user", chat_request.get("user")),
        ("safety_identifier", chat_request.get("safety_identifier")),
        ("user_id", chat_request.get("user_id")),
    ):
        if id is not None and not is_blank(a_string(id, path)):
            return digest(id) if len(id) > _MAX_USER_ID or _PERSONAL.search(id) else id
    return None


def _betas(chat_request: Block) -> tuple[str, ...]:
    """What `anthropic_beta` asks for, or the header of that name among `extra_headers`."""
    wish = chat_request.get("anthropic_beta")
    if wish is None:
        headers = an_object(chat_request.get("extra_headers") or {}, "extra_headers")
        wish = next((value for name, value in headers.items() if name.lower() == "anthropic-beta"), None)
    if wish is None:
        return ()
    items = wish.split(",") if isinstance(wish, str) else an_array(wish, "anthropic_beta")
    return tuple(a_string(item, "anthropic_beta").strip() for item in items)
