"""What each model family accepts, as data: one ModelProfile a family, chosen by the model's name."""

import enum
import re
from dataclasses import dataclass, replace
from typing import Literal

Sampling = Literal["any", "one", "default", "none"]


class Enforced(enum.Flag):
    """The groups of rules that an upstream really enforces; lenient ones enforce few."""

    NOTHING = 0
    HEADERS = enum.auto()
    UNKNOWN_FIELDS = enum.auto()
    MESSAGES = enum.auto()
    TOOL_HISTORY = enum.auto()
    TOOL_DEFINITIONS = enum.auto()
    THINKING = enum.auto()
    MEDIA = enum.auto()
    CACHE = enum.auto()
    OUTPUT_FORMAT = enum.auto()
    SYSTEM_ROLE = enum.auto()
    CAPABILITIES = enum.auto()
    ANTHROPIC = (
        HEADERS
        | UNKNOWN_FIELDS
        | MESSAGES
        | TOOL_HISTORY
        | TOOL_DEFINITIONS
        | THINKING
        | MEDIA
        | CACHE
        | OUTPUT_FORMAT
        | SYSTEM_ROLE
    )


UNEXPECTED_SYSTEM_ROLE = (
    'messages: Unexpected role "system". The Messages API accepts a top-level `system` parameter, '
    'not "system" as an input message role.'
)
UNSUPPORTED_SYSTEM_ROLE = "messages.{index}: role 'system' is not supported on this model"


@dataclass(frozen=True)
class ModelProfile:
    """The capabilities of one model family, and which rules its upstream enforces.

    The Claude rows follow Anthropic's models overview, extended thinking, effort and migration pages.
    """

    name: str
    max_tokens: int = 64_000
    context_window: int = 200_000
    sampling: Sampling = "one"
    thinking_types: tuple[str, ...] = ("disabled", "enabled")
    thinks_by_default: bool = False
    thinking_display: Literal["summarized", "omitted"] = "summarized"
    efforts: tuple[str, ...] = ()
    disabled_thinking_efforts: tuple[str, ...] | None = None
    """The efforts that `thinking.type: disabled` may be combined with; None: any."""
    prefill: bool = True
    forced_tool_choice: bool = True
    system_role_refusal: str | None = UNEXPECTED_SYSTEM_ROLE
    """What a system message inside `messages` is answered with; None: such messages are supported."""
    structured_output: bool = True
    image_input: bool = True
    image_urls: bool = True
    merges_adjacent_roles: bool = True
    refuses_context_overflow: bool = False
    tool_name_length: int = 128
    any_tool_id: bool = False
    custom_tool_type: bool = True
    verifies_signatures: bool = True
    binds_thinking_to_prefix: bool = False
    budget_required: bool = True
    enforced: Enforced = Enforced.ANTHROPIC


LEGACY = ModelProfile("claude-4.5")
OLDER = replace(
    LEGACY,
    name="claude-4 and before",
    max_tokens=32_000,
    sampling="any",
    structured_output=False,
    refuses_context_overflow=True,
)
OPUS_4_5 = replace(LEGACY, name="claude-opus-4.5", efforts=("low", "medium", "high"))
V46 = replace(
    LEGACY,
    name="claude-4.6",
    max_tokens=128_000,
    context_window=1_000_000,
    thinking_types=("adaptive", "disabled", "enabled"),
    efforts=("low", "medium", "high", "max"),
    prefill=False,
    system_role_refusal=UNSUPPORTED_SYSTEM_ROLE,
)
ALL_EFFORTS = ("low", "medium", "high", "xhigh", "max")
V47 = replace(
    V46,
    name="claude-4.7",
    sampling="none",
    thinking_types=("adaptive", "disabled"),
    thinking_display="omitted",
    efforts=ALL_EFFORTS,
)
OPUS_4_8 = replace(V47, name="claude-opus-4.8", system_role_refusal=None)
SONNET_5 = replace(OPUS_4_8, name="claude-sonnet-5", sampling="default", thinks_by_default=True)
OPUS_5 = replace(
    OPUS_4_8,
    name="claude-opus-5",
    thinks_by_default=True,
    disabled_thinking_efforts=("low", "medium", "high"),
)
ALWAYS_THINKING_5 = replace(OPUS_4_8, name="claude-fable-5", thinking_types=("adaptive",), thinks_by_default=True)
V55 = replace(ALWAYS_THINKING_5, name="claude-5.5", forced_tool_choice=False, binds_thinking_to_prefix=True)
SONNET_5_5 = replace(V55, name="claude-sonnet-5.5", thinking_types=("adaptive", "between_tools"))
HAIKU_5_5 = replace(OPUS_4_8, name="claude-haiku-5.5", binds_thinking_to_prefix=True)

LENIENT = ModelProfile(
    "any local model",
    max_tokens=393_216,
    context_window=1_000_000,
    sampling="any",
    thinking_types=("adaptive", "disabled", "enabled"),
    efforts=ALL_EFFORTS,
    structured_output=False,
    tool_name_length=64,
    verifies_signatures=False,
    budget_required=False,
    enforced=Enforced.NOTHING,
)
GLM = replace(LENIENT, name="glm", max_tokens=131_072)
GLM_ALWAYS_THINKING = replace(GLM, name="glm-5", thinking_types=("adaptive", "enabled"), enforced=Enforced.CAPABILITIES)
DEEPSEEK = replace(
    LENIENT,
    name="deepseek",
    thinking_types=("disabled", "enabled"),
    efforts=("low", "high", "max"),
    system_role_refusal=(
        "Failed to deserialize the JSON body into the target type: messages[{index}].role: "
        "unknown variant system, expected user or assistant"
    ),
    image_input=False,
    custom_tool_type=False,
    enforced=Enforced.TOOL_HISTORY | Enforced.SYSTEM_ROLE | Enforced.CAPABILITIES,
)
KIMI = replace(LENIENT, name="kimi", any_tool_id=True)
KIMI_CODE = replace(KIMI, name="kimi-code", thinking_types=("enabled",), enforced=Enforced.CAPABILITIES)
MINIMAX = replace(
    LENIENT,
    name="minimax",
    system_role_refusal="invalid params, chat content has invalid message role: system (2013)",
    image_input=False,
    enforced=Enforced.SYSTEM_ROLE | Enforced.CAPABILITIES,
)

CLAUDE_FAMILIES: dict[str, ModelProfile] = {
    "claude-haiku-4-5": LEGACY,
    "claude-sonnet-4-5": LEGACY,
    "claude-opus-4-5": OPUS_4_5,
    "claude-opus-4-6": V46,
    "claude-sonnet-4-6": V46,
    "claude-opus-4-7": V47,
    "claude-opus-4-8": OPUS_4_8,
    "claude-sonnet-5": SONNET_5,
    "claude-opus-5": OPUS_5,
    "claude-fable-5": ALWAYS_THINKING_5,
    "claude-mythos-5": ALWAYS_THINKING_5,
    "claude-fable-5-1": V55,
    "claude-fable-5-2": V55,
    "claude-mythos-5-1": V55,
    "claude-mythos-5-2": V55,
    "claude-opus-5-5": V55,
    "claude-sonnet-5-5": SONNET_5_5,
    "claude-haiku-5-5": HAIKU_5_5,
    "claude-opus-4-1": OLDER,
    "claude-opus-4": OLDER,
    "claude-sonnet-4": OLDER,
    "claude-3-7-sonnet": OLDER,
}
OTHER_FAMILIES: tuple[tuple[str, ModelProfile], ...] = (
    (r"glm-5(v|\.|-|$)", GLM_ALWAYS_THINKING),
    (r"glm-", GLM),
    (r"deepseek", DEEPSEEK),
    (r"kimi-.*code", KIMI_CODE),
    (r"(kimi|moonshot)", KIMI),
    (r"minimax", MINIMAX),
)
UNKNOWN_MODEL = re.compile(r"(claude-|gpt-|o[134](-|$)|.*does-not-exist)", re.IGNORECASE)
SUFFIX = re.compile(r"(-\d{8}|-latest)?(\[1m\])?$")


def profile_for(model: str, *, strict: bool = False) -> ModelProfile | None:
    """The profile of the family that `model` belongs to; None for a name that no upstream serves.

    A date, `-latest` or `[1m]` behind a Claude name is ignored. With `strict`, a lenient family keeps its
    capabilities but has every rule enforced: what passes is then legal everywhere.
    """
    claude = CLAUDE_FAMILIES.get(SUFFIX.sub("", model))
    if claude is not None:
        return claude
    if UNKNOWN_MODEL.match(model):
        return None
    family = next((p for start, p in OTHER_FAMILIES if re.match(start, model, re.IGNORECASE)), LENIENT)
    return replace(family, enforced=Enforced.ANTHROPIC | Enforced.CAPABILITIES) if strict else family
