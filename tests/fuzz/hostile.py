"""Hostile values, and mutations of texts."""

from __future__ import annotations

from typing import Any, Final

from hypothesis import strategies as st

TEXTS: Final = (
    "", " ", "\0", "\x1b[31m", "\u202e", "\ufeff", "é", "e\u0301", "💥", "\uffff", "'", '"', "\\", "%", "%_", "{}", "$1",
    ":name", "null", "NaN", "-1", "0x10", "1e999", "true", "../../etc/passwd", "'; DROP TABLE users; --", "a" * 300,
    "x" * 20_000, "kraken", "BTC/USD", "BTC-USD", "*", "?", "[a", "2026-01-01T00:00:00Z", "+275760-09-13T00:00:00Z",
    "0000-00-00", "9" * 400, "1" * 5000,
)  # fmt: skip
NUMBERS: Final = (
    0, 1, -1, 2, 20, 1000, 1001, 2**31 - 1, 2**31, -(2**31) - 1, 2**53 + 1, 2**63 - 1, 2**63, -(2**63) - 1, 2**64,
    10**400, 0.5, -0.0, 1e-320, 1e15, 1e308, -1e308, 1.7976931348623157e308,
)  # fmt: skip
BYTES: Final = (b"", b"\0", b"\xff\xfe", b"\xed\xa0\x80", b"{", b"[]", b"null", b"NaN", b"\xc3(", b"x" * 2_000_000)

texts: Final = st.one_of(st.sampled_from(TEXTS), st.text(max_size=30))
"""Texts that UTF-8 can represent, NUL included."""

numbers: Final = st.one_of(st.sampled_from(NUMBERS), st.integers(), st.floats(allow_nan=False, allow_infinity=False))

scalars: Final = st.one_of(st.none(), st.booleans(), numbers, texts)

values: Final = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)
"""Any JSON value."""


@st.composite
def mutated(draw: Any, source: st.SearchStrategy[str]) -> str:
    """A text of `source`, truncated, with a part removed, repeated or replaced; a few texts stay as they are."""
    text: str = draw(source)
    for _ in range(draw(st.integers(0, 3))):
        start = draw(st.integers(0, len(text)))
        end = min(len(text), start + draw(st.integers(0, 12)))
        match draw(st.integers(0, 4)):
            case 0:
                text = text[:start]
            case 1:
                text = text[:start] + text[end:]
            case 2:
                text = text[:end] + text[start:end] * draw(st.sampled_from((1, 2, 50))) + text[end:]
            case 3:
                text = text[:start] + draw(texts) + text[end:]
            case _:
                text = text[:start] + draw(st.sampled_from(tuple('{}[]()"\\:,!@$#.&|\n\0'))) + text[start:]
    return text


@st.composite
def mutated_bytes(draw: Any, source: st.SearchStrategy[str]) -> bytes:
    """The same as bytes, some of which are not UTF-8."""
    data: bytes = draw(mutated(source)).encode(errors="replace")
    at = draw(st.integers(0, len(data)))
    inserted: bytes = draw(st.one_of(st.just(b""), st.sampled_from(BYTES[:-1]), st.binary(max_size=8)))
    return data[:at] + inserted + data[at:]
