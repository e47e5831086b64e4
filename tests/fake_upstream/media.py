"""What the bytes of an image or PDF say about themselves."""

import re
import struct
from collections.abc import Callable

PNG = b"\x89PNG\r\n\x1a\n"
JPEG_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}


def image_type(data: bytes) -> str | None:
    """The media type that the first bytes stand for, None for no image that the API knows."""
    if data.startswith(PNG):
        return "image/png"
    if data.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if data[:6] in (b"GIF87a", b"GIF89a"):
        return "image/gif"
    return "image/webp" if data[:4] == b"RIFF" and data[8:12] == b"WEBP" else None


def image_size(data: bytes) -> tuple[int, int] | None:
    """(width, height) in pixels, None when the header does not tell."""
    readers: dict[str, Callable[[], tuple[int, int]]] = {
        "image/png": lambda: struct.unpack(">II", data[16:24]),
        "image/gif": lambda: struct.unpack("<HH", data[6:10]),
        "image/jpeg": lambda: _jpeg_size(data),
        "image/webp": lambda: _webp_size(data),
    }
    kind = image_type(data)
    try:
        width, height = readers[kind]() if kind else (0, 0)
    except (struct.error, IndexError):
        return None
    return (width, height) if width and height else None


def _jpeg_size(data: bytes) -> tuple[int, int]:
    """From the first start-of-frame segment. Raises IndexError when there is none."""
    at = 2
    while data[at] == 0xFF:
        marker, length = data[at + 1], struct.unpack(">H", data[at + 2 : at + 4])[0]
        if marker in JPEG_FRAMES:
            height, width = struct.unpack(">HH", data[at + 5 : at + 9])
            return width, height
        at += 2 + length
    raise IndexError("no frame header")


def _webp_size(data: bytes) -> tuple[int, int]:
    """From the VP8, VP8L or VP8X chunk. Raises IndexError for another one."""
    chunk = data[12:16]
    if chunk == b"VP8X":
        return 1 + int.from_bytes(data[24:27], "little"), 1 + int.from_bytes(data[27:30], "little")
    if chunk == b"VP8L":
        bits = int.from_bytes(data[21:25], "little")
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    if chunk == b"VP8 ":
        width, height = struct.unpack("<HH", data[26:30])
        return width & 0x3FFF, height & 0x3FFF
    raise IndexError("no known chunk")


def pdf_pages(data: bytes) -> int | None:
    """The number of pages, None for no PDF. Page objects packed into object streams are not counted."""
    if b"%PDF-" not in data[:1024]:
        return None
    return len(re.findall(rb"/Type\s*/Page\b", data))


def is_encrypted_pdf(data: bytes) -> bool:
    """Whether a password protects it."""
    return b"/Encrypt" in data
