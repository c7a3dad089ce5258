"""The text of an answer: JSON, of bounded size."""

from __future__ import annotations

from typing import Any, Final

import orjson

MOST_CHARACTERS: Final = 60_000
"""The longest answer of a tool, about 20 000 tokens of a language model."""


def as_text(answer: object) -> str:
    """The answer as JSON, cut to `MOST_CHARACTERS` with a note."""
    return shortened_text(orjson.dumps(answer).decode(), "ask for fewer rows or a shorter period", MOST_CHARACTERS)


def shortened_text(text: str, advice: str, most: int) -> str:
    """The text, or its beginning with a note that states the sizes and the advice."""
    if len(text) <= most:
        return text
    return f"{text[:most]}\n\n[Cut: these are the first {most:,} of {len(text):,} characters; {advice}.]"


def errors_of(body: dict[str, Any]) -> list[dict[str, Any]]:
    """The errors of a GraphQL response, each with its message, code and path."""
    return [
        {
            "message": error.get("message"),
            "code": (error.get("extensions") or {}).get("code"),
            "path": error.get("path"),
        }
        for error in body.get("errors") or ()
    ]
