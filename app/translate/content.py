"""Content parts of OpenAI messages -> Anthropic content blocks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from app.errors import InvalidRequest
from app.profiles import Profile
from app.translate.cache import cache_control
from app.translate.checks import a_string, an_array, an_object, invalid_value, missing
from app.translate.media import base64_text, data_url, image_source, is_data_url
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
    for index, part in enumerate(an_array(content, path)):
        here = f"{path}[{index}]"
        part = an_object(part, here)
        if part.get("type") not in {"text", "input_text", "output_text"}:
            raise invalid_value(f"{here}.type", "'text'", part.get("type"))
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
    for index, part in enumerate(an_array(content, path)):
        here = f"{path}[{index}]"
        blocks += _part(part, here, profile, report)
    return blocks


def _part(part: Any, path: str, profile: Profile, report: Report) -> list[Block]:
    if isinstance(part, str):
        return [] if is_blank(part) else [text_block(part)]
    kind = an_object(part, path).get("type")
    if kind is None:
        raise missing(f"{path}.type")
    if kind in _UNSUPPORTED:
        raise InvalidRequest(
            f"Invalid '{path}': {_UNSUPPORTED[kind]} cannot be sent to an Anthropic-compatible model; "
            "transcribe it or leave it out.",
            param=path,
            code="invalid_value",
        )
    reader = _READERS.get(kind) if isinstance(kind, str) else None
    if reader is None:
        raise invalid_value(f"{path}.type", "'text', 'image_url', and 'file'", kind)
    return reader(part, path, profile, report)


def _text(part: Block, path: str) -> list[Block]:
    text = a_string(part.get("text"), f"{path}.text")
    return [] if is_blank(text) else [text_block(text) | cache_control(part, path)]


def _text_part(part: Block, path: str, profile: Profile, report: Report) -> list[Block]:
    return _text(part, path)


def _image_part(part: Block, path: str, profile: Profile, report: Report) -> list[Block]:
    image = part.get("image_url")
    if isinstance(image, dict):
        path_of_url = f"{path}.image_url.url"
        url = a_string(image.get("url"), path_of_url)
        if image.get("detail") not in (None, "auto"):
            report.ignore("messages[].content[].image_url.detail")
    else:
        path_of_url = f"{path}.image_url"
        url = a_string(image, path_of_url)
    return [{"type": "image", "source": _image_source(url, path_of_url, profile)} | cache_control(part, path)]


def _image_source(url: str, path: str, profile: Profile) -> Block:
    url = url.strip()
    if is_data_url(url):
        return image_source(data_url(url, path), path)
    if not url.lower().startswith(("http://", "https://")):
        raise InvalidRequest(
            f"Invalid '{path}': expected an https:// URL or a base64 data URL.",
            param=path,
            code="invalid_image_url",
        )
    if not profile.image_urls:
        raise InvalidRequest(
            f"Invalid '{path}': this upstream takes images as base64 data URLs only.",
            param=path,
            code="invalid_image_url",
        )
    return {"type": "url", "url": url}


def _file_part(part: Block, path: str, profile: Profile, report: Report) -> list[Block]:
    """Chat Completions `file` parts: a PDF, a text file or an image, given whole; or an Anthropic file id."""
    file = an_object(part.get("file"), f"{path}.file")
    title = file.get("filename")
    if title is not None:
        title = a_string(title, f"{path}.file.filename")
    marks = cache_control(part, path)
    if file.get("file_data") is not None:
        data_path = f"{path}.file.file_data"
        return [_file_block(a_string(file["file_data"], data_path), title, data_path) | marks]
    file_id = file.get("file_id")
    if isinstance(file_id, str) and file_id.startswith("file_"):
        return [{"type": "document", "source": {"type": "file", "file_id": file_id}} | marks]
    raise InvalidRequest(
        f"Invalid '{path}.file': send the file's content as 'file_data'; files uploaded to OpenAI are out of reach.",
        param=f"{path}.file.file_id" if file_id is not None else f"{path}.file.file_data",
        code="invalid_value",
    )


def _file_block(file_data: str, title: str | None, path: str) -> Block:
    if not is_data_url(file_data):
        file_data = f"data:application/pdf;base64,{base64_text(file_data, path)}"
    url = data_url(file_data, path)
    if url.media_type.startswith("image/"):
        return {"type": "image", "source": image_source(url, path)}
    named = {"title": title} if title and not title.isspace() else {}
    if url.media_type == "application/pdf" or url.data.startswith("JVBERi"):
        source = {"type": "base64", "media_type": "application/pdf", "data": url.data}
        return {"type": "document", "source": source} | named
    if url.media_type.startswith("text/") or url.media_type in _TEXT_TYPES:
        source = {"type": "text", "media_type": "text/plain", "data": url.text()}
        return {"type": "document", "source": source} | named
    raise InvalidRequest(
        f"Invalid '{path}': files of type '{url.media_type}' are not supported; use PDF, text or an image.",
        param=path,
        code="invalid_value",
    )


def _anthropic_part(part: Block, path: str, profile: Profile, report: Report) -> list[Block]:
    """A part that is an Anthropic block already, as some clients send it: passed on with the fields the API knows."""
    known = {key: part[key] for key in ("type", "source", "title", "context", "citations") if key in part}
    an_object(known.get("source"), f"{path}.source")
    return [known | cache_control(part, path)]


_TEXT_TYPES = {"application/json", "application/xml", "application/x-yaml", "application/javascript", ""}
_UNSUPPORTED = {"input_audio": "audio", "audio": "audio", "video_url": "video", "input_video": "video"}
_READERS: dict[str, Callable[[Block, str, Profile, Report], list[Block]]] = {
    "text": _text_part,
    "input_text": _text_part,
    "output_text": _text_part,
    "image_url": _image_part,
    "input_image": _image_part,
    "file": _file_part,
    "image": _anthropic_part,
    "document": _anthropic_part,
}
