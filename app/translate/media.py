"""Data URLs and the bytes inside them: which type they really are, and whether the Messages API takes them."""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote_to_bytes

from app.errors import InvalidRequest

IMAGE_TYPES = ("image/jpeg", "image/png", "image/gif", "image/webp")
MAX_IMAGE_BYTES = 5 * 1024 * 1024
"""`image exceeds 5 MB maximum: 5316852 bytes > 5242880 bytes` (observed message); of the decoded image."""

_DATA_URL = re.compile(r"data:([^,]*),(.*)", re.DOTALL | re.IGNORECASE)
_BLANKS = re.compile(r"\s+")


@dataclass(frozen=True)
class DataUrl:
    """A `data:` URL taken apart: lower-case media type, base64 text without blanks, padded."""

    media_type: str
    data: str

    @property
    def size(self) -> int:
        """Bytes once decoded."""
        return len(self.data) // 4 * 3 - self.data[-2:].count("=")

    def head(self) -> bytes:
        """The first bytes, enough to tell an image type."""
        return base64.b64decode(self.data[:64])

    def text(self) -> str:
        return base64.b64decode(self.data).decode("utf-8", "replace")


def is_data_url(url: str) -> bool:
    return url[:5].lower() == "data:"


def data_url(url: str, path: str) -> DataUrl:
    """`url` taken apart; percent-encoded ones are brought to base64, missing padding is added.

    Raises InvalidRequest if it is no data URL or its base64 cannot be decoded.
    """
    match = _DATA_URL.match(url)
    if match is None:
        raise InvalidRequest(
            f"Invalid '{path}': expected a data URL such as data:image/png;base64,…",
            param=path,
            code="invalid_value",
        )
    header, payload = match.groups()
    media_type, *parameters = (part.strip().lower() for part in header.split(";"))
    if "base64" not in parameters:
        return DataUrl(media_type or "text/plain", base64.b64encode(unquote_to_bytes(payload)).decode())
    return DataUrl(media_type, base64_text(payload, path))


def base64_text(payload: str, path: str) -> str:
    """`payload` as standard base64 without blanks and with its padding. Raises InvalidRequest if it cannot be decoded."""
    if "%" in payload:
        payload = unquote_to_bytes(payload).decode("latin-1")
    payload = _BLANKS.sub("", payload) if _BLANKS.search(payload) else payload
    if "-" in payload or "_" in payload:
        payload = payload.replace("-", "+").replace("_", "/")
    payload = payload.rstrip("=")
    payload += "=" * (-len(payload) % 4)
    try:
        base64.b64decode(payload, validate=True)
    except (binascii.Error, ValueError):
        raise InvalidRequest(
            f"Invalid '{path}': the data is not valid base64.", param=path, code="invalid_base64"
        ) from None
    return payload


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


def image_source(url: DataUrl, path: str) -> dict[str, Any]:
    """A base64 source with the type corrected from the bytes, which the API compares.

    Raises InvalidRequest for an empty image, one above 5 MB, or a type the API does not take.
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
    return {"type": "base64", "media_type": media_type, "data": url.data}
