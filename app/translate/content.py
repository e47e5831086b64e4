"""Content parts of OpenAI messages -> Anthropic content blocks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from app.errors import InvalidRequest
from app.profiles.profile import Profile
from app.translate.anthropic_parts import anthropic_part
from app.translate.cache import cache_control
from app.translate.checks import a_string, an_array_or_string, an_object, invalid_value, missing, optional_string
from app.translate.media import (
    DataUrl,
    base64_text,
    data_url,
    document_source,
    image_block,
    image_source,
    is_data_url,
    sniffed_image_type,
    url_source,
)
from app.translate.report import Report

Block = dict[str, Any]


def text_block(text: str) -> Block:
    return {"type": "text", "text": text}


def is_blank(text: str) -> bool:
    """The API refuses text blocks without a character that is not white space."""
    return not text or text.isspace()


def text_blocks(content: Any, path: str) -> list[Block]:
    """Blocks of a system message: a string or an array of text parts; blank ones are left out."""
    if content is None:
        return []
    if isinstance(content, str):
        return [] if is_blank(content) else [text_block(content)]
    blocks = []
    for index, part in enumerate(an_array_or_string(content, path)):
        here = f"{path}[{index}]"
        if isinstance(part, str):
            blocks += [] if is_blank(part) else [text_block(part)]
            continue
        part = an_object(part, here)
        kind = optional_string(part, "type", here)
        if kind not in {"text", "input_text", "output_text"}:
            raise missing(f"{here}.type") if kind is None else invalid_value(f"{here}.type", "'text'", kind)
        blocks += _text(part, here)
    return blocks


def user_blocks(content: Any, path: str, profile: Profile, report: Report) -> list[Block]:
    """Blocks of a user or tool message: a string or an array of text, image and file parts; blank texts are left out.

    Raises InvalidRequest with the path of a part that cannot be sent: audio, video, an unusable image or file.
    """
    if content is None:
        return []
    if isinstance(content, str):
        return [] if is_blank(content) else [text_block(content)]
    blocks: list[Block] = []
    for index, part in enumerate(an_array_or_string(content, path)):
        here = f"{path}[{index}]"
        blocks += _part(part, here, profile, report)
    return blocks


def _part(part: Any, path: str, profile: Profile, report: Report) -> list[Block]:
    if isinstance(part, str):
        return [] if is_blank(part) else [text_block(part)]
    kind = optional_string(an_object(part, path), "type", path)
    if kind is None:
        raise missing(f"{path}.type")
    if kind in _UNSUPPORTED:
        raise InvalidRequest(
            f"Invalid '{path}': {_UNSUPPORTED[kind]} cannot be sent to an Anthropic-compatible model; "
            "transcribe it or leave it out.",
            param=path,
            code="invalid_value",
        )
    reader = _READERS.get(kind)
    if reader is None:
        raise invalid_value(f"{path}.type", "'text', 'image_url', and 'file'", kind)
    return reader(part, path, profile, report)


def _text(part: Block, path: str) -> list[Block]:
    text = a_string(part.get("text"), f"{path}.text")
    return [] if is_blank(text) else [text_block(text) | cache_control(part, path)]


def _text_part(part: Block, path: str, profile: Profile, report: Report) -> list[Block]:
    return _text(part, path)


def _image_part(part: Block, path: str, profile: Profile, report: Report) -> list[Block]:
    image, here = part.get("image_url"), f"{path}.image_url"
    if image is None:
        raise missing(here)
    owner = part
    if isinstance(image, dict):
        owner, image, here = image, image.get("url"), f"{here}.url"
        if image is None:
            raise missing(here)
    if optional_string(owner, "detail", here.removesuffix(".url")) not in {None, "auto"}:
        report.ignore("messages[].content[].image_url.detail")
    return [image_block(a_string(image, here).strip(), here, profile) | cache_control(part, path)]


def _file_part(part: Block, path: str, profile: Profile, report: Report) -> list[Block]:
    """Chat Completions `file` parts: a PDF, a text file or an image, given whole or by URL; or an Anthropic file id."""
    here = path
    file = part
    if part["type"] == "file":
        here = f"{path}.file"
        if part.get("file") is None:
            raise missing(here)
        file = an_object(part["file"], here)
    marks = cache_control(part, path)
    title = optional_string(file, "filename", here)
    if content := _given_whole_or_by_url(file, here):
        name, file_data = content
        return [block | marks for block in _file_blocks(file_data.strip(), title, f"{here}.{name}", profile)]
    file_id = optional_string(file, "file_id", here)
    if file_id is not None and file_id.startswith("file_"):
        return [{"type": "document", "source": {"type": "file", "file_id": file_id}} | marks]
    raise InvalidRequest(
        f"Invalid '{here}': send the file's content as 'file_data'; files uploaded to OpenAI are out of reach.",
        param=f"{here}.file_id" if file_id is not None else f"{here}.file_data",
        code="invalid_value",
    )


def _given_whole_or_by_url(file: Block, path: str) -> tuple[str, str] | None:
    """(field, what it holds): the Responses API has a field for URLs, and LiteLLM's clients give one as the id."""
    if (file_data := optional_string(file, "file_data", path)) is not None:
        return "file_data", file_data
    for name in ("file_url", "file_id"):
        url = optional_string(file, name, path)
        if url and (is_data_url(url) or _is_web_url(url)):
            return name, url
    return None


def _is_web_url(text: str) -> bool:
    return text[:8].lower().startswith(("https://", "http://"))


def _file_blocks(file_data: str, title: str | None, path: str, profile: Profile) -> list[Block]:
    named = {"title": title} if title and not is_blank(title) else {}
    if _is_web_url(file_data):
        return [{"type": "document", "source": url_source(file_data, path, profile)} | named]
    url = data_url(file_data, path) if is_data_url(file_data) else DataUrl("", base64_text(file_data, path))
    image_type = sniffed_image_type(url.head())
    if image_type or url.media_type.startswith("image/"):
        return [{"type": "image", "source": image_source(url, path, profile)}]
    source = document_source(url, path)
    blank = source["type"] == "text" and is_blank(source["data"])
    return [] if blank else [{"type": "document", "source": source} | named]


_UNSUPPORTED = {
    "input_audio": "audio",
    "audio": "audio",
    "video_url": "video",
    "input_video": "video",
    "video": "video",
}
_READERS: dict[str, Callable[[Block, str, Profile, Report], list[Block]]] = {
    "text": _text_part,
    "input_text": _text_part,
    "output_text": _text_part,
    "image_url": _image_part,
    "input_image": _image_part,
    "file": _file_part,
    "input_file": _file_part,
    "image": anthropic_part,
    "document": anthropic_part,
}
