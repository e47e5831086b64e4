"""Images and PDF files are priced from a few of their bytes."""

import base64
import struct

import pytest

from app.tokens.families import CLAUDE_FROM_4_7, CLAUDE_TO_4_6
from app.tokens.media import image_size, image_tokens, pdf_tokens


def encoded(content: bytes) -> str:
    return base64.b64encode(content).decode()


def png(width: int, height: int) -> bytes:
    return b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + struct.pack(">IIBBBBB", width, height, 8, 6, 0, 0, 0)


def gif(width: int, height: int) -> bytes:
    return b"GIF89a" + struct.pack("<HH", width, height) + b"\xf7\0\0" + bytes(20)


def webp(chunk: bytes, header: bytes) -> bytes:
    body = b"WEBP" + chunk + struct.pack("<I", len(header)) + header
    return b"RIFF" + struct.pack("<I", len(body)) + body + bytes(8)


def webp_lossy(width: int, height: int) -> bytes:
    return webp(b"VP8 ", b"\x10\x20\x30\x9d\x01\x2a" + struct.pack("<HH", width | 0x4000, height))


def webp_lossless(width: int, height: int) -> bytes:
    return webp(b"VP8L", b"\x2f" + struct.pack("<I", width - 1 | height - 1 << 14 | 1 << 28))


def webp_extended(width: int, height: int) -> bytes:
    sizes = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    return webp(b"VP8X", b"\x10\0\0\0" + sizes)


def jpeg(width: int, height: int, frame: int = 0xC0, metadata: int = 14) -> bytes:
    application = b"\xff\xe1" + struct.pack(">H", metadata + 2) + bytes(metadata)
    tables = b"\xff\xdb" + struct.pack(">H", 67) + bytes(65) + b"\xff\xc4" + struct.pack(">H", 5) + bytes(3)
    size = b"\xff\xff" + bytes([frame]) + struct.pack(">HBHHB", 17, 8, height, width, 3) + bytes(9)
    return b"\xff\xd8" + application * 3 + tables + size + b"\xff\xda"


IMAGES = {
    "png": png(640, 480),
    "gif": gif(640, 480),
    "webp lossy": webp_lossy(640, 480),
    "webp lossless": webp_lossless(640, 480),
    "webp extended": webp_extended(640, 480),
    "jpeg": jpeg(640, 480),
    "jpeg progressive": jpeg(640, 480, frame=0xC2),
    "jpeg after large metadata": jpeg(640, 480, metadata=65_000),
}


@pytest.mark.parametrize("name", IMAGES)
def test_size_is_read_from_the_header_alone(name):
    # A character outside base64 at the end would fail a decoder of the whole.
    assert image_size(encoded(IMAGES[name]) + "é") == (640, 480)


@pytest.mark.parametrize("name", IMAGES)
def test_a_truncated_image_gives_its_size_or_none(name):
    whole = encoded(IMAGES[name][:400])
    sizes = {image_size(whole[:length]) for length in range(len(whole))}
    assert sizes <= {None, (640, 480)}


@pytest.mark.parametrize(
    "data",
    [
        "",
        "A",
        "é",
        "====",
        "\ud800",
        encoded(bytes(100)),
        encoded(png(0, 10)),
        encoded(b"\xff\xd8" + bytes(60)),
        encoded(b"\xff\xd8" + b"\xff\xe1\x00\x02" * 500 + jpeg(640, 480)[2:]),
        encoded(b"RIFF    WEBPVP9 " + bytes(30)),
    ],
)
def test_an_unreadable_image_has_no_size_and_a_flat_count(data):
    assert image_size(data) is None
    assert image_tokens(data, CLAUDE_TO_4_6) == 1_500


@pytest.mark.parametrize(
    ("width", "height", "tokens", "tokens_from_4_7"),
    [
        (1, 1, 1, 1),
        (200, 200, 54, 54),
        (1000, 1000, 1334, 1334),
        (1092, 1092, 1590, 1590),
        (1568, 1568, 1600, 3279),
        (3136, 784, 820, 2212),
        (4000, 4000, 1600, 4784),
        (100_000, 1, 1, 1),
    ],
)
def test_image_tokens(width, height, tokens, tokens_from_4_7):
    data = encoded(png(width, height))
    assert image_tokens(data, CLAUDE_TO_4_6) == tokens
    assert image_tokens(data, CLAUDE_FROM_4_7) == tokens_from_4_7


def pdf(pages: int, bytes_per_page: int = 100) -> bytes:
    page = b"<< /Type /Page /Parent 2 0 R >>" + bytes(bytes_per_page)
    return b"%PDF-1.7\n<< /Type /Pages >> << /Type/Catalog >>" + page * pages


@pytest.mark.parametrize("pages", [1, 7, 300])
def test_pdf_pages_are_counted(pages):
    assert pdf_tokens(encoded(pdf(pages))) == pages * 2_500


def test_a_large_pdf_is_sampled():
    assert pdf_tokens(encoded(pdf(400, bytes_per_page=10_000))) == pytest.approx(400 * 2_500, rel=0.1)


@pytest.mark.parametrize(("content", "pages"), [(b"%PDF-1.7" + bytes(500_000), 5), (b"", 1), (pdf(5_000, 0), 600)])
def test_a_pdf_without_readable_pages_counts_by_its_size(content, pages):
    assert pdf_tokens(encoded(content)) == pages * 2_500


@pytest.mark.parametrize("data", ["é" * 50, "A", "\ud800"])
def test_a_broken_pdf_counts_as_one_page(data):
    assert pdf_tokens(data) == 2_500
