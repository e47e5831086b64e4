"""What other upstreams refuse although they are lenient: media and thinking that their models lack.

Each message is the one observed from that upstream, or documented by it.
"""

from .conversation import FORCING, blocks_with_paths, thinking_type
from .terms import Body, Rule, Terms


def images_unsupported(body: Body, terms: Terms) -> str | None:
    """An image or document for a model that reads text only."""
    media = (path for path, block in blocks_with_paths(body) if block["type"] in ("image", "document"))
    found = None if terms.profile.image_input else next(media, None)
    return f"{found}: this model does not support image input" if found else None


def image_urls_unsupported(body: Body, terms: Terms) -> str | None:
    """An image by URL where only base64 is taken."""
    images = (block for _, block in blocks_with_paths(body) if block["type"] == "image")
    urls = (image for image in images if image["source"]["type"] == "url")
    found = None if terms.profile.image_urls else next(urls, None)
    return "invalid image source: only base64 is supported" if found else None


def thinking_cannot_be_disabled(body: Body, terms: Terms) -> str | None:
    """`disabled` for a model that always thinks."""
    if thinking_type(body) != "disabled" or "disabled" in terms.profile.thinking_types:
        return None
    if terms.profile.thinking_types == ("enabled",):
        return "invalid thinking: only type=enabled is allowed for this model"
    return "This model always engages in thinking and cannot be disabled; please use low, high, or max"


def disabled_thinking_with_effort(body: Body, terms: Terms) -> str | None:
    """`disabled` together with an effort, where one excludes the other."""
    effort = (body.get("output_config") or {}).get("effort")
    if terms.profile.name != "deepseek" or thinking_type(body) != "disabled" or effort is None:
        return None
    return "thinking options type cannot be disabled when reasoning_effort is set"


def forced_tool_while_thinking(body: Body, terms: Terms) -> str | None:
    """A forced tool while the model thinks."""
    forced = body.get("tool_choice", {}).get("type") in FORCING
    if terms.profile.name != "deepseek" or not forced or thinking_type(body) != "enabled":
        return None
    return "Thinking mode does not support this tool_choice"


def custom_tool_type_unknown(body: Body, terms: Terms) -> str | None:
    """`type: custom` on an upstream that knows tools only without a type."""
    if terms.profile.custom_tool_type:
        return None
    typed = (i for i, tool in enumerate(body.get("tools", [])) if tool.get("type") == "custom")
    return next((f"tools[{index}].type: unknown variant custom" for index in typed), None)


RULES: tuple[Rule, ...] = (
    custom_tool_type_unknown,
    images_unsupported,
    image_urls_unsupported,
    thinking_cannot_be_disabled,
    disabled_thinking_with_effort,
    forced_tool_while_thinking,
)
