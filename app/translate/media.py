"""Images and documents, by their bytes or by URL: which type they are, and whether the Messages API takes them."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote_to_bytes

from app.errors import InvalidRequest
from app.profiles.profile import Profile
from app.tokens.media import image_size
from app.translate.file_text import file_text, text_of_any

IMAGE_TYPES = ("image/jpeg", "image/png", "image/gif", "image/webp")
MAX_IMAGE_BYTES = 5 * 1024 * 1024
"""`image exceeds 5 MB maximum: 5316852 bytes > 5242880 bytes` (observed message); of the decoded image."""

MAX_IMAGE_SIDE = 8000
MAX_SIDE_OF_MANY = 2000
MANY_IMAGES = 20
"""`At least one of the image dimensions exceed max allowed size for many-image requests: 2000 pixels` (observed message
for requests of more than 20 images)."""

_PDF = "JVBERi"
"""`%PDF-`, encoded."""
_UNTYPED = {"", "application/octet-stream"}
_BLANKS = re.compile(r"\s+")


@dataclass(frozen=True)
class DataUrl:
    """A `data:` URL taken apart: lower-case media type, base64 text without blanks, padded."""

    media_type: str
    data: str
    charset: str = ""

    @property
    def size(self) -> int:
        """Bytes once decoded."""
        return len(self.data) // 4 * 3 - self.data[-2:].count("=")

    def head(self) -> bytes:
        """The first bytes, enough to tell an image type."""
        return base64.b64decode(self.data[:64])

    @property
    def is_pdf(self) -> bool:
        return self.data.startswith(_PDF)

    def text(self) -> str | None:
        """The text of a text file; None if it is none. Browsers call a CSV an Excel file, and TypeScript a video."""
        content = base64.b64decode(self.data)
        if self.media_type.startswith("text/"):
            return file_text(content, self.charset)
        return text_of_any(content) if content or self.media_type in _UNTYPED else None


def is_data_url(url: str) -> bool:
    return url[:5].lower() == "data:"


def data_url(url: str, path: str) -> DataUrl:
    """`url` taken apart; percent-encoded ones are brought to base64, missing padding is added.

    Raises InvalidRequest if it is no data URL or its base64 cannot be decoded.
    """
    header, comma, payload = url[5:].partition(",")
    if not comma:
        raise InvalidRequest(
            f"Invalid '{path}': expected a data URL such as data:image/png;base64,…",
            param=path,
            code="invalid_value",
        )
    media_type, *parameters = (part.strip().lower() for part in header.split(";"))
    charset = next((part[8:].strip('"') for part in parameters if part.startswith("charset=")), "")
    if "base64" not in parameters:
        return DataUrl(media_type or "text/plain", base64.b64encode(unquote_to_bytes(payload)).decode(), charset)
    return DataUrl(media_type, base64_text(payload, path), charset)


def base64_text(payload: str, path: str) -> str:
    """`payload` as standard base64 without blanks and with its padding. Raises InvalidRequest if it is none."""
    if _is_base64(payload):
        return payload
    if "%" in payload:
        payload = unquote_to_bytes(payload).decode("latin-1")
    payload = _BLANKS.sub("", payload).replace("-", "+").replace("_", "/").rstrip("=")
    payload += "=" * (-len(payload) % 4)
    if not _is_base64(payload):
        raise InvalidRequest(f"Invalid '{path}': the data is not valid base64.", param=path, code="invalid_base64")
    return payload


def _is_base64(payload: str) -> bool:
    try:
        return len(payload) % 4 == 0 and base64.b64decode(payload, validate=True) is not None
    except ValueError:
        return False


def sniffed_image_type(head: bytes) -> str | None:
    """The media type that the first bytes of an image tell, or None."""
    if head.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if head.startswith((b"GIF87a", b"GIF89a")):
        return "image/gif"
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "image/webp"
    return None


def image_source(url: DataUrl, path: str, profile: Profile) -> dict[str, Any]:
    """A base64 source with the type corrected from the bytes, which the API compares.

    Raises InvalidRequest for an empty image, one above 5 MB or (on models with known limits) above 8000 pixels a side,
    or a type the API does not take.
    """
    if not url.data:
        raise InvalidRequest(f"Invalid '{path}': the image is empty.", param=path, code="invalid_value")
    if url.size > MAX_IMAGE_BYTES:
        raise InvalidRequest(
            f"Invalid '{path}': the image has {url.size} bytes, the maximum is {MAX_IMAGE_BYTES}.",
            param=path,
            code="image_too_large",
        )
    media_type = sniffed_image_type(url.head()) or url.media_type.replace("image/jpg", "image/jpeg")
    if media_type not in IMAGE_TYPES:
        raise InvalidRequest(
            f"Invalid '{path}': images of type '{media_type}' are not supported; use one of {', '.join(IMAGE_TYPES)}.",
            param=path,
            code="invalid_image_format",
        )
    if profile.max_images and (side := _longer_side(url.data)) > MAX_IMAGE_SIDE:
        raise _too_wide(path, side, MAX_IMAGE_SIDE)
    return {"type": "base64", "media_type": media_type, "data": url.data}


def document_source(url: DataUrl, path: str) -> dict[str, Any]:
    """The source of a PDF or a text file, whatever type it was given.

    Raises InvalidRequest for an empty file or one of another kind, which the API does not read.
    """
    if url.data and (url.is_pdf or url.media_type == "application/pdf"):
        return {"type": "base64", "media_type": "application/pdf", "data": url.data}
    if (text := url.text()) is not None:
        return {"type": "text", "media_type": "text/plain", "data": text}
    reason = f"files of type '{url.media_type or 'unknown'}' are not supported; use PDF, text or an image"
    raise InvalidRequest(
        f"Invalid '{path}': {reason if url.data else 'the file is empty'}.",
        param=path,
        code="invalid_value",
    )


def image_block(url: str, path: str, profile: Profile) -> dict[str, Any]:
    """An image, or the PDF that some clients send as one."""
    if is_data_url(url):
        data = data_url(url, path)
        if data.is_pdf:
            return {"type": "document", "source": document_source(data, path)}
        return {"type": "image", "source": image_source(data, path, profile)}
    return {"type": "image", "source": _image_url_source(url, path, profile)}


def _image_url_source(url: str, path: str, profile: Profile) -> dict[str, Any]:
    if not profile.image_urls:
        raise _unusable_url(path, "this upstream takes images as base64 data URLs only")
    return url_source(url, path, profile)


def url_source(url: str, path: str, profile: Profile) -> dict[str, Any]:
    """A source that the upstream fetches. Raises InvalidRequest for a scheme that it does not."""
    scheme = url[:8].lower()
    if scheme.startswith("http://") and not profile.http_urls:
        raise _unusable_url(path, "only https:// URLs are fetched by this upstream")
    if not scheme.startswith(("http://", "https://")):
        raise _unusable_url(path, "expected an https:// URL or a base64 data URL")
    return {"type": "url", "url": url}


def _unusable_url(path: str, reason: str) -> InvalidRequest:
    return InvalidRequest(f"Invalid '{path}': {reason}.", param=path, code="invalid_image_url")


def check_images(messages: Sequence[dict[str, Any]], profile: Profile) -> None:
    """Raises InvalidRequest for more images than the model takes, or too wide ones among many."""
    images = [block for message in messages for block in _images(message["content"])]
    if profile.max_images and len(images) > profile.max_images:
        raise InvalidRequest(
            f"Invalid 'messages': they hold {len(images)} images, the maximum is {profile.max_images}.",
            param="messages",
            code="too_many_images",
        )
    if profile.max_images and len(images) > MANY_IMAGES:
        side = max(_longer_side(image["source"].get("data", "")) for image in images)
        if side > MAX_SIDE_OF_MANY:
            raise _too_wide("messages", side, MAX_SIDE_OF_MANY)


def _images(content: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for block in content:
        if block["type"] == "image":
            yield block
        elif block["type"] == "tool_result" and isinstance(block.get("content"), list):
            yield from _images(block["content"])


def _longer_side(data: str) -> int:
    """In pixels; 0 if the image does not tell."""
    return max(image_size(data) or (0,))


def _too_wide(path: str, side: int, most: int) -> InvalidRequest:
    return InvalidRequest(
        f"Invalid '{path}': an image has a side of {side} pixels, the maximum is {most}"
        f"{f' in requests of more than {MANY_IMAGES} images' if most == MAX_SIDE_OF_MANY else ''}.",
        param=path,
        code="image_too_large",
    )
