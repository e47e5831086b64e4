"""A chat request -> the Messages request that this upstream and model accept, and how its answer must look."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from app.errors import InvalidRequest
from app.profiles.profile import Profile
from app.translate.answer_form import AnswerForm
from app.translate.arguments import check_arguments
from app.translate.betas import betas, extensions
from app.translate.cache import cache_control, place_breakpoints
from app.translate.checks import missing, optional_boolean
from app.translate.content import Block, text_block
from app.translate.end_user import end_user_id
from app.translate.media import check_images
from app.translate.messages import HistoryReader
from app.translate.parameters import check_parameters
from app.translate.reasoning import Reasoning, reasoning
from app.translate.report import Report
from app.translate.response_format import NO_JSON, JsonPlan, json_format, json_plan
from app.translate.sampling import sampling, stop_sequences
from app.translate.thinking_forms import Remembered
from app.translate.thinking_plan import Conflict, ThinkingPlan, thinking_plan
from app.translate.tool_choice import ToolChoice, possible_choice, tool_choice, without_disallowed
from app.translate.tools import Toolbox, loaded, toolbox
from app.translate.turns import History
from app.translate.web_search import web_search_tool

_SERVICE_TIERS = {
    "auto": "auto",
    "default": "standard_only",
    "priority": "auto",
    "standard_only": "standard_only",
}
_LIMITS = ("max_completion_tokens", "max_tokens")
"""The newer parameter counts."""
_NEEDED = {"model", "messages", "max_tokens"}


@dataclass(frozen=True, slots=True)
class Options:
    """The settings that translation depends on."""

    default_max_tokens: int = 32_000
    strict_params: bool = False
    auto_cache_control: bool = False


class Translation(NamedTuple):
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

    `remembered` holds thinking blocks by index of the message, for clients that do not send them back.
    Raises InvalidRequest with the path of a field that is wrong or cannot be sent.
    """
    try:
        return _Request(chat_request, profile, options).translated(requested_model, upstream_model, remembered or {})
    except RecursionError:
        raise InvalidRequest("The request is nested too deeply.") from None


class _Request:
    """One translation; its parts become known one after the other, each needing some of those before."""

    def __init__(self, chat_request: Block, profile: Profile, options: Options) -> None:
        self._chat_request = chat_request
        self._profile = profile
        self._options = options
        self._report = Report(options.strict_params)

    def translated(self, requested_model: str, upstream_model: str, remembered: Remembered) -> Translation:
        chat_request, profile, report = self._chat_request, self._profile, self._report
        check_parameters(chat_request, report)
        check_arguments(chat_request.get("messages"))
        box = toolbox(chat_request, profile, report)
        history = self._history(box, remembered)
        choice = without_disallowed(box, tool_choice(chat_request, box, report))
        wish = reasoning(chat_request, report)
        plan = self._json_plan(box, choice, history, bool(wish.on))
        choice, hint = possible_choice(plan.choice or choice, box, history.tool_names, profile, report)
        thinking = self._thinking(wish, choice, history)
        body: Block = {
            "model": upstream_model,
            "max_tokens": thinking.max_tokens,
            **_system(history, plan.hint, hint),
            "messages": history.messages,
            **self._tools(box, choice),
            **_output(thinking, plan),
            **sampling(chat_request, profile, thinking.active, report),
            **self._rest(),
        }
        body |= (extended := extensions(chat_request, profile, report))
        self._place_breakpoints(body, history)
        for name in profile.refused_fields:
            if name not in _NEEDED and body.pop(name, None) is not None:
                report.ignore(name)
        form = self._answer_form(requested_model, box, plan)
        return Translation(body, form, betas(chat_request, extended), report.ignored, report.adjusted)

    def _history(self, box: Toolbox, remembered: Remembered) -> History:
        messages = self._chat_request.get("messages")
        if messages is None:
            raise missing("messages")
        if not messages:
            raise InvalidRequest(
                "Invalid 'messages': empty array. Expected an array with minimum length 1.",
                param="messages",
                code="empty_array",
            )
        reader = HistoryReader(self._profile, box, remembered, self._report)
        history = reader.read(messages, self._chat_request.get("system"))
        if not history.only_texts:
            check_images(history.messages, self._profile)
        return history

    def _place_breakpoints(self, body: Block, history: History) -> None:
        automatic, asked = self._options.auto_cache_control, self._chat_request.get("cache_control")
        if history.only_texts and "tools" not in body and asked is None and not automatic:
            return
        mark = cache_control({"cache_control": asked}, "")
        place_breakpoints(body, mark, automatic, self._profile, self._report)

    def _json_plan(self, box: Toolbox, choice: ToolChoice | None, history: History, thinks: bool) -> JsonPlan:
        format = json_format(self._chat_request)
        if format is None:
            return NO_JSON
        return json_plan(format, self._profile, box, choice, history, thinks, self._report)

    def _thinking(self, wish: Reasoning, choice: ToolChoice | None, history: History) -> ThinkingPlan:
        profile = self._profile
        yields_to = "prefill" if history.prefilled else None
        if choice and choice.forced and not profile.forced_tool_choice_while_thinking:
            yields_to = "tool_choice"
        default = _at_most(self._options.default_max_tokens, profile.max_output_tokens)
        conflict = Conflict(yields_to, history.thinking_lost)
        return thinking_plan(wish, profile, self._max_tokens(), default, conflict, self._report)

    def _max_tokens(self) -> int | None:
        newer, older = (self._chat_request.get(name) for name in _LIMITS)
        name, wanted = (_LIMITS[1], older) if newer is None else (_LIMITS[0], newer)
        if wanted is None:
            return None
        if older is not None and older != wanted:
            self._report.ignore(_LIMITS[1])
        fitting = _at_most(int(wanted), self._profile.max_output_tokens)
        if fitting != wanted:
            self._report.adjust(name, fitting)
        return fitting

    def _tools(self, box: Toolbox, choice: ToolChoice | None) -> Block:
        tools = list(box.definitions.values())
        search = web_search_tool(self._chat_request, box, self._profile, self._report)
        if search:
            tools.append(search)
        if not tools:
            return {}
        tools = loaded(tools, self._report)
        sent: Block = {"type": choice.mode} if choice else {}
        if choice and choice.name:
            sent["name"] = choice.name
        parallel = self._chat_request.get("parallel_tool_calls") is not False and (choice is None or choice.parallel)
        # A legacy answer has room for one `function_call`.
        if (not parallel or box.legacy) and sent.get("type") != "none":
            sent = {"type": "auto"} | sent | {"disable_parallel_tool_use": True}
        return {"tools": tools} | ({"tool_choice": sent} if sent else {})

    def _rest(self) -> Block:
        chat_request, profile, report = self._chat_request, self._profile, self._report
        rest: Block = {}
        if sequences := stop_sequences(chat_request, profile, report):
            rest["stop_sequences"] = sequences
        if chat_request.get("stream"):
            rest["stream"] = True
        if user_id := end_user_id(chat_request, report):
            rest["metadata"] = {"user_id": user_id}
        tier = chat_request.get("service_tier")
        if tier is not None:
            if profile.service_tier and tier in _SERVICE_TIERS:
                rest["service_tier"] = _SERVICE_TIERS[tier]
            elif tier not in {"auto", "default"}:
                report.ignore("service_tier")
        return rest

    def _answer_form(self, requested_model: str, box: Toolbox, plan: JsonPlan) -> AnswerForm:
        stream_options = self._chat_request.get("stream_options") or {}
        if stream_options:
            for name in ("include_usage", "include_obfuscation"):
                optional_boolean(stream_options, name, "stream_options")
        json_answer = "tool" if plan.tool else "text" if plan.hint else None
        include_usage = stream_options.get("include_usage") is True
        return AnswerForm(requested_model, box.names, box.forms, box.legacy, json_answer, include_usage)


def _at_most(number: int, limit: int) -> int:
    return min(number, limit) if limit else number


def _system(history: History, *hints: str | None) -> Block:
    blocks = [*history.system, *(text_block(hint) for hint in hints if hint)]
    if any("cache_control" in block for block in blocks):
        return {"system": blocks}
    return {"system": "\n\n".join(block["text"] for block in blocks)} if blocks else {}


def _output(thinking: ThinkingPlan, plan: JsonPlan) -> Block:
    sent: Block = {"thinking": thinking.thinking} if thinking.thinking else {}
    output: Block = {}
    if thinking.effort:
        output["effort"] = thinking.effort
    if plan.native:
        output["format"] = plan.native
    return sent | ({"output_config": output} if output else {})
