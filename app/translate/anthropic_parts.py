"""Image and document parts that are Anthropic blocks already, as some clients of the chat API send them."""

from __future__ import annotations

from typing import Any

from app.profiles.profile import Profile
from app.translate.cache import cache_control
from app.translate.checks import a_string, an_object, invalid_value, missing, optional_string
from app.translate.media import (
    DataUrl,
    base64_text,
    data_url,
    document_source,
    image_block,
    image_source,
    is_data_url,
    url_source,
)
from app.translate.report import Report

Block = dict[str, Any]
_SOURCES = {
    "base64": ("media_type", "data"),
    "url": ("url",),
    "file": ("file_id",),
    "text": ("media_type", "data"),
    "content": ("content",),
}


def anthropic_part(part: Block, path: str, profile: Profile, report: Report) -> list[Block]:
    """A part that is an Anthropic block already, as some clients send it: passed on with the fields the API knows."""
    here = f"{path}.source"
    if part.get("source") is None:
        raise missing(here)
    source = an_object(part["source"], here)
    kind = a_string(source.get("type"), f"{here}.type")
    is_image = part["type"] == "image"
    if kind not in _SOURCES or (is_image and kind in {"text", "content"}):
        raise invalid_value(f"{here}.type", "'base64', 'url', and 'file'", kind)
    for name in _SOURCES[kind]:
        if name != "content":
            a_string(source.get(name), f"{here}.{name}")
    read = _image_from if is_image else _document_from
    return [read(part, kind, path, profile) | cache_control(part, path)]


def _image_from(part: Block, kind: str, path: str, profile: Profile) -> Block:
    source, here = part["source"], f"{path}.source"
    if kind == "url":
        return image_block(source["url"].strip(), here, profile)
    if kind == "base64":
        return {"type": "image", "source": image_source(_base64_source(source, f"{here}.data"), here, profile)}
    return {"type": "image", "source": _known(source, kind)}


def _document_from(part: Block, kind: str, path: str, profile: Profile) -> Block:
    source, here = part["source"], f"{path}.source"
    if kind == "url":
        sent = url_source(source["url"], here, profile)
    elif kind == "base64":
        sent = document_source(_base64_source(source, f"{here}.data"), f"{here}.data")
    else:
        sent = _known(source, kind) | ({"media_type": "text/plain"} if kind == "text" else {})
    document: Block = {"type": "document", "source": sent}
    document |= {name: part[name] for name in ("title", "context") if optional_string(part, name, path)}
    if part.get("citations") is not None:
        document["citations"] = an_object(part["citations"], f"{path}.citations")
    return document


def _known(source: Block, kind: str) -> Block:
    return {name: source.get(name) for name in ("type", *_SOURCES[kind])}


def _base64_source(source: Block, path: str) -> DataUrl:
    """The bytes of an Anthropic source, which some clients give as a data URL."""
    if is_data_url(source["data"]):
        return data_url(source["data"], path)
    return DataUrl(source["media_type"].lower(), base64_text(source["data"], path))
