"""Images and files: their real types, their limits, and what cannot be sent."""

import base64
import struct
import time

import pytest

from app.errors import InvalidRequest
from app.profiles.profile import Profile
from app.translate.media import base64_text, data_url
from tests.translate.chat_requests import PDF, gif, jpeg, png, webp
from tests.translate.requests import WEATHER, Json, body, call, result, translation, turns, user

PNG = base64.b64encode(png(1)).decode()


def picture(url: str, **image: str) -> Json:
    return {"type": "image_url", "image_url": {"url": url, **image}}


def file(data: str, **fields: str) -> Json:
    return {"type": "file", "file": {"file_data": data, **fields}}


def document(kind: str, media_type: str, data: str) -> Json:
    """A document in Anthropic's own form."""
    return {"type": "document", "source": {"type": kind, "media_type": media_type, "data": data}}


def source(part: Json, **fields: object) -> Json:
    ((_, blocks),) = turns(body(user([part]), **fields))  # type: ignore[arg-type]
    return blocks[0]["source"]


def encoded(data: bytes, kind: str = "application/octet-stream") -> str:
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"


@pytest.mark.parametrize(
    "declared", ["image/png", "image/jpeg", "image/jpg", "IMAGE/GIF", "application/octet-stream", ""]
)
@pytest.mark.parametrize(("real", "kind"), [(png, "png"), (jpeg, "jpeg"), (gif, "gif"), (webp, "webp")])
def test_the_declared_type_of_an_image_is_corrected(declared: str, real: object, kind: str) -> None:
    data = real(7)  # type: ignore[operator]
    expected = {"type": "base64", "media_type": f"image/{kind}", "data": base64.b64encode(data).decode()}
    assert source(picture(encoded(data, declared))) == expected
    assert source(file(encoded(data, declared))) == expected


@pytest.mark.parametrize(
    "url",
    [
        f"data:image/png;base64,{PNG}",
        f"data:image/png;base64,{PNG.rstrip('=')}",
        f"data:image/png;base64,{PNG[:10]}\n {PNG[10:]}",
        f"data:image/png;base64,{PNG.replace('+', '-').replace('/', '_')}",
        f"data:image/png;base64,{PNG.replace('+', '%2B').replace('=', '%3D')}",
        f" DATA:image/png;charset=x;BASE64,{PNG} ",
        "data:image/png," + "".join(f"%{byte:02x}" for byte in png(1)),
    ],
    ids=range(7),
)
def test_every_spelling_of_a_data_url(url: str) -> None:
    assert source(picture(url))["data"] == PNG


def test_an_image_by_url() -> None:
    assert source(picture("https://example.com/a.png")) == {"type": "url", "url": "https://example.com/a.png"}
    assert source({"type": "image_url", "image_url": "https://example.com/a.png"})["type"] == "url"
    assert source({"type": "input_image", "image_url": "https://example.com/a.png"})["type"] == "url"
    assert source(picture("http://example.com/a.png"), model="glm-4.6")["type"] == "url"


def test_detail_is_told_where_it_meant_something() -> None:
    high = translation(user([picture("https://example.com/a.png", detail="high")]))
    assert high.ignored == ("messages[].content[].image_url.detail",)
    assert translation(user([picture("https://example.com/a.png", detail="auto")])).ignored == ()


FILES: list[tuple[Json, Json | None]] = [
    (file(encoded(PDF, "application/pdf"), filename="a.pdf"), {"type": "base64", "media_type": "application/pdf"}),
    (file(encoded(PDF)), {"type": "base64", "media_type": "application/pdf"}),
    (file(base64.b64encode(PDF).decode()), {"type": "base64", "media_type": "application/pdf"}),
    (file("https://example.com/a.pdf"), {"type": "url", "url": "https://example.com/a.pdf"}),
    (file("data:text/plain,hello%20there"), {"type": "text", "media_type": "text/plain", "data": "hello there"}),
    (file(encoded("größer".encode(), "text/markdown")), {"type": "text", "media_type": "text/plain", "data": "größer"}),
    (file(encoded(b"{}", "application/json")), {"type": "text", "media_type": "text/plain", "data": "{}"}),
    ({"type": "file", "file": {"file_id": "file_011C"}}, {"type": "file", "file_id": "file_011C"}),
    (
        {"type": "input_file", "file_data": "data:text/plain,x"},
        {"type": "text", "media_type": "text/plain", "data": "x"},
    ),
    ({"type": "input_file", "file_url": "https://example.com/a.pdf"}, {"url": "https://example.com/a.pdf"}),
    ({"type": "file", "file": {"file_id": "https://example.com/a.pdf"}}, {"url": "https://example.com/a.pdf"}),
    ({"type": "file", "file": {"file_id": encoded(PDF)}}, {"type": "base64", "media_type": "application/pdf"}),
    ({"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "x"}}, {"data": "x"}),
    (
        {"type": "image", "source": {"type": "base64", "media_type": "image/gif", "data": PNG}},
        {"media_type": "image/png"},
    ),
    (
        {
            "type": "image",
            "source": {"type": "base64", "media_type": "image/png", "data": f"data:image/png;base64,{PNG}"},
        },
        {"media_type": "image/png", "data": PNG},
    ),
    (
        {"type": "image", "source": {"type": "url", "url": f"data:image/gif;base64,{PNG}"}},
        {"media_type": "image/png", "data": PNG},
    ),
    (picture(encoded(PDF, "application/pdf")), {"type": "base64", "media_type": "application/pdf"}),
    (file(base64.b64encode("größer".encode()).decode()), {"type": "text", "data": "größer"}),
    (file(encoded(b"print(1)")), {"type": "text", "media_type": "text/plain", "data": "print(1)"}),
    (document("base64", "text/plain", "aGk="), {"type": "text", "media_type": "text/plain", "data": "hi"}),
    (
        document("base64", "application/octet-stream", base64.b64encode(PDF).decode()),
        {"type": "base64", "media_type": "application/pdf"},
    ),
    (file(encoded(b"a;b\r\n", "application/vnd.ms-excel")), {"type": "text", "data": "a;b\r\n"}),
    (file(encoded("größer".encode("cp1252"), "text/csv")), {"type": "text", "data": "größer"}),
    (file(encoded("größer".encode("utf-16"), "text/plain")), {"type": "text", "data": "größer"}),
    (file(encoded("жар".encode("koi8-r"), "text/plain;charset=KOI8-R")), {"type": "text", "data": "жар"}),
    (document("text", "text/markdown", "# hi"), {"type": "text", "media_type": "text/plain", "data": "# hi"}),
]


@pytest.mark.parametrize(("part", "expected"), FILES, ids=lambda value: str(value)[:70])
def test_files(part: Json, expected: Json) -> None:
    assert source(part).items() >= expected.items()


def test_a_files_name_becomes_the_documents_title() -> None:
    part = user([file("data:text/plain,x", filename="a.txt")])
    assert turns(body(part))[0][1][0]["title"] == "a.txt"
    assert "title" not in turns(body(user([file("data:text/plain,x", filename=" ")])))[0][1][0]


def test_an_empty_text_file_is_left_out() -> None:
    assert turns(body(user([file("data:text/plain,"), {"type": "text", "text": "a"}])))[0][1] == [
        {"type": "text", "text": "a"}
    ]


def test_images_and_documents_in_tool_results() -> None:
    parts = [picture(encoded(png(1))), file(encoded(PDF)), {"type": "text", "text": "a"}]
    found = turns(body(user("hi"), call(), result(content=parts), tools=[WEATHER]))[2][1][0]
    assert [block["type"] for block in found["content"]] == ["image", "document", "text"]


BIG = png(1)[:16] + struct.pack(">II", 9000, 10) + png(1)[24:]
REFUSED: list[tuple[Json, str]] = [
    ({"type": "input_audio", "input_audio": {"data": "", "format": "wav"}}, "messages[0].content[0]"),
    ({"type": "video_url", "video_url": {"url": "https://x"}}, "messages[0].content[0]"),
    ({"type": "hologram"}, "messages[0].content[0].type"),
    ({"type": ["text"]}, "messages[0].content[0].type"),
    ({"text": "a"}, "messages[0].content[0].type"),
    ({"type": "text"}, "messages[0].content[0].text"),
    ({"type": "image_url"}, "messages[0].content[0].image_url"),
    ({"type": "image_url", "image_url": {}}, "messages[0].content[0].image_url.url"),
    (picture("ftp://example.com/a.png"), "messages[0].content[0].image_url.url"),
    (picture("http://example.com/a.png"), "messages[0].content[0].image_url.url"),
    (picture("data:image/png;base64,?"), "messages[0].content[0].image_url.url"),
    (picture("data:image/png;base64"), "messages[0].content[0].image_url.url"),
    (picture("data:image/png;base64,"), "messages[0].content[0].image_url.url"),
    (picture("data:image/bmp;base64,Qk0="), "messages[0].content[0].image_url.url"),
    (picture(encoded(png(1) + bytes(5 * 1024 * 1024))), "messages[0].content[0].image_url.url"),
    (picture(encoded(BIG)), "messages[0].content[0].image_url.url"),
    ({"type": "file", "file": {}}, "messages[0].content[0].file.file_data"),
    ({"type": "file", "file": {"file_id": "file-abc"}}, "messages[0].content[0].file.file_id"),
    ({"type": "file", "file": {"file_id": "http://x/a.pdf"}}, "messages[0].content[0].file.file_id"),
    ({"type": "input_file", "file_url": "ftp://x/a.pdf"}, "messages[0].content[0].file_data"),
    (file(encoded(b"PK\x03\x04", "application/zip")), "messages[0].content[0].file.file_data"),
    (file("data:application/pdf;base64,"), "messages[0].content[0].file.file_data"),
    (
        file(base64.b64encode(b"PK\x03\x04\xff\x00").decode(), filename="a.docx"),
        "messages[0].content[0].file.file_data",
    ),
    (file(encoded(b"MZ\x00\x01")), "messages[0].content[0].file.file_data"),
    (document("base64", "application/msword", "0M8R4KGxGuE="), "messages[0].content[0].source.data"),
    ({"type": "image"}, "messages[0].content[0].source"),
    ({"type": "image", "source": {"type": "text"}}, "messages[0].content[0].source.type"),
]


@pytest.mark.parametrize(("part", "param"), REFUSED, ids=lambda value: str(value)[:60])
def test_what_cannot_be_sent_is_refused_with_its_path(part: Json, param: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        translation(user([part]))
    assert caught.value.param == param


def test_too_many_images_are_refused() -> None:
    images = [picture(encoded(png(number))) for number in range(101)]
    with pytest.raises(InvalidRequest, match="101 images"):
        translation(user(images))
    assert translation(user(images), model="m", profile=Profile())


def test_wide_images_among_many_are_refused() -> None:
    wide = png(1)[:16] + struct.pack(">II", 2500, 10) + png(1)[24:]
    images = [picture(encoded(wide)), *(picture(encoded(png(number))) for number in range(20))]
    assert translation(user(images[:20]))
    with pytest.raises(InvalidRequest, match="2500 pixels"):
        translation(user(images))


def test_an_upstream_without_image_urls_is_named() -> None:
    with pytest.raises(InvalidRequest, match="base64 data URLs only"):
        translation(user([picture("https://example.com/a.png")]), model="m", profile=Profile(image_urls=False))


def test_a_large_image_is_read_in_linear_time() -> None:
    url = encoded(png(1) + bytes(4 * 1024 * 1024), "image/png")
    began = time.process_time()
    source(picture(url), model="m", profile=Profile())
    # About 20 ms; quadratic work would take minutes.
    assert time.process_time() - began < 1


def test_base64_is_normalised_once() -> None:
    assert base64_text("QUJD", "p") == "QUJD"
    assert base64_text("QUI", "p") == "QUI="
    assert data_url("data:,a%20b", "p").text() == "a b"
    assert data_url("data:;base64,QUJD", "p").size == 3
