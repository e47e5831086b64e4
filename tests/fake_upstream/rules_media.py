"""Rules about images and documents."""

import base64
from collections.abc import Iterator

from .conversation import blocks_with_paths
from .media import image_size, image_type, is_encrypted_pdf, pdf_pages
from .terms import Block, Body, Rule, Terms

MAX_IMAGE_BYTES = 5 * 1024 * 1024
MAX_IMAGES = 100
MANY_IMAGES = 20
MAX_SIDE, MAX_SIDE_OF_MANY = 8000, 2000
LARGE_CONTEXT = 1_000_000
UNREACHABLE_HOST = ".invalid/"


def _sources(body: Body, kind: str, source_type: str) -> Iterator[tuple[str, Block]]:
    """(path of the source, source) of the blocks of that kind whose source has that type."""
    for path, block in blocks_with_paths(body):
        if block["type"] == kind and block["source"]["type"] == source_type:
            yield f"{path}.source.{source_type}", block["source"]


def _decoded(source: Block) -> bytes | None:
    try:
        return base64.b64decode(source["data"], validate=True)
    except ValueError:
        return None


def too_many_images(body: Body, _terms: Terms) -> str | None:
    """More than 100 in one request."""
    count = sum(block["type"] == "image" for _, block in blocks_with_paths(body))
    return f"Too many images: {count} images > {MAX_IMAGES} maximum" if count > MAX_IMAGES else None


def bad_base64(body: Body, _terms: Terms) -> str | None:
    """Data that is no base64, a data: URL for example."""
    for kind in ("image", "document"):
        for path, source in _sources(body, kind, "base64"):
            if not _decoded(source):
                return f"{path}.data: Invalid base64 data"
    return None


def image_too_large(body: Body, _terms: Terms) -> str | None:
    """More than 5 MB."""
    for path, source in _sources(body, "image", "base64"):
        size = len(_decoded(source) or b"")
        if size > MAX_IMAGE_BYTES:
            return f"{path}: image exceeds 5 MB maximum: {size} bytes > {MAX_IMAGE_BYTES} bytes"
    return None


def image_of_another_type(body: Body, _terms: Terms) -> str | None:
    """Bytes that are no image, or not the image they are said to be."""
    for path, source in _sources(body, "image", "base64"):
        data = _decoded(source) or b""
        found, said = image_type(data), source["media_type"]
        if found is None or image_size(data) is None:
            return f"{path}: Could not process image"
        if found != said:
            return (
                f"{path}: The image was specified using the {said} media type, "
                f"but the image appears to be a {found} image"
            )
    return None


def image_too_wide(body: Body, _terms: Terms) -> str | None:
    """More pixels a side than allowed; fewer are allowed when there are many images."""
    images = list(_sources(body, "image", "base64"))
    many = len(images) > MANY_IMAGES
    most = MAX_SIDE_OF_MANY if many else MAX_SIDE
    for path, source in images:
        if max(image_size(_decoded(source) or b"") or (0, 0)) > most:
            size = "size for many-image requests" if many else "size"
            return f"{path}: At least one of the image dimensions exceed max allowed {size}: {most} pixels"
    return None


def url_not_https(body: Body, _terms: Terms) -> str | None:
    """A source that is not fetched, or cannot be: here, any host below .invalid."""
    for kind in ("image", "document"):
        for path, source in _sources(body, kind, "url"):
            if not source["url"].startswith("https://"):
                return f"{path}.url: Only HTTPS URLs are supported."
            if UNREACHABLE_HOST in source["url"] + "/":
                return f"{path}.url: Unable to download the file. Please verify the URL and try again."
    return None


def bad_pdf(body: Body, terms: Terms) -> str | None:
    """No PDF, one with a password, or one of too many pages."""
    most = 600 if terms.profile.context_window >= LARGE_CONTEXT else 100
    for path, source in _sources(body, "document", "base64"):
        data = _decoded(source) or b""
        pages = pdf_pages(data)
        if pages is None:
            return f"{path}: The PDF specified was not valid."
        if is_encrypted_pdf(data):
            return f"{path}: The PDF specified is password protected."
        if pages > most:
            return f"{path}: A maximum of {most} PDF pages may be provided."
    return None


RULES: tuple[Rule, ...] = (
    bad_base64,
    image_too_large,
    image_of_another_type,
    too_many_images,
    image_too_wide,
    url_not_https,
    bad_pdf,
)
