"""The shapes of what blocks are made of: cache breakpoints, citations, image sources."""

from .shape import BetaOnly, Check, anything, integer, literal, nullable, record, string, tagged

CACHE_CONTROL = nullable(
    tagged(
        {
            "ephemeral": record(
                {"type": literal("ephemeral")},
                {"ttl": literal("5m", "1h"), "scope": BetaOnly("prompt-caching-scope-", string())},
            )
        }
    )
)
CACHEABLE = {"cache_control": CACHE_CONTROL}


def _citation(document: bool, **extra: Check) -> Check:
    shared: dict[str, Check] = {"type": anything, "cited_text": string()}
    if document:
        shared |= {"document_index": integer(least=0), "document_title": nullable(string())}
    return record({**shared, **extra}, {"file_id": nullable(string())} if document else None)


CITATION = tagged(
    {
        "char_location": _citation(True, start_char_index=integer(), end_char_index=integer()),
        "page_location": _citation(True, start_page_number=integer(), end_page_number=integer()),
        "content_block_location": _citation(True, start_block_index=integer(), end_block_index=integer()),
        "web_search_result_location": _citation(
            False, encrypted_index=string(), title=nullable(string()), url=string()
        ),
        "search_result_location": _citation(
            False,
            search_result_index=integer(),
            source=string(),
            title=nullable(string()),
            start_block_index=integer(),
            end_block_index=integer(),
        ),
    }
)

URL_SOURCE = record({"type": anything, "url": string()})
FILE_SOURCE = record({"type": anything, "file_id": string()})
IMAGE_SOURCE = tagged(
    {
        "base64": record(
            {
                "type": anything,
                "media_type": literal("image/jpeg", "image/png", "image/gif", "image/webp"),
                "data": string(),
            }
        ),
        "url": URL_SOURCE,
        "file": FILE_SOURCE,
    }
)
