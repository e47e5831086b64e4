"""Model families: how far the bundled tokenizer is from a model's own, and what its images cost."""

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Family:
    """Constants of one model family; token counts are input tokens.

    text_scale: the model's tokens for each cl100k_base token.
    non_latin_scale: a further factor for text outside ASCII.
    tool_prompt: tokens added once when a request offers tools.
    image_edge: pixels; a longer edge is scaled down to this before the image is counted.
    image_cap: most tokens one image may cost.
    """

    text_scale: float
    non_latin_scale: float
    tool_prompt: int
    image_edge: int
    image_cap: int


# tool_prompt: Anthropic, "Tool use with Claude", pricing table (346 for tool_choice auto). Images: "Vision",
# evaluating image size: width * height / 750 after the image was brought down to the largest edge.
CLAUDE_TO_4_6 = Family(text_scale=1.2, non_latin_scale=1.0, tool_prompt=346, image_edge=1568, image_cap=1600)
CLAUDE_FROM_4_7 = Family(text_scale=1.5, non_latin_scale=1.0, tool_prompt=346, image_edge=2576, image_cap=4784)
# GLM, Kimi, DeepSeek, MiniMax and Qwen come close to o200k_base. It equals cl100k_base on English and code
# and needs 0.3 (Hindi), 0.57 (Russian) to 0.73 (Japanese) of its tokens elsewhere; the cautious end is taken.
# tool_prompt: the size of the usual tool section in the chat templates of open models.
OTHER = Family(text_scale=1.0, non_latin_scale=0.73, tool_prompt=150, image_edge=1568, image_cap=1600)

# "claude-opus-4-20250514" is version 4: a date is longer than the two digits of a minor version.
_CLAUDE = re.compile(r"claude(?:[^0-9]*(\d{1,2})(?:[-._](\d{1,2})(?!\d))?)?", re.IGNORECASE)
_NEW_TOKENIZER = (4, 7)


def family_of(model: str) -> Family:
    """The family of a model id, bare or as a vendor spells it ("us.anthropic.claude-opus-4-6-v1:0").

    A Claude whose version cannot be read counts as a new one: too high is safe for a client that trims.
    """
    claude = _CLAUDE.search(model)
    if claude is None:
        return OTHER
    major, minor = claude.groups()
    if major is None or (int(major), int(minor or 0)) >= _NEW_TOKENIZER:
        return CLAUDE_FROM_4_7
    return CLAUDE_TO_4_6
