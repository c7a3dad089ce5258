"""Identifiers of documents, as the appendix "Persisted Documents" of GraphQL over HTTP defines them."""

from __future__ import annotations

import re
from hashlib import sha256
from typing import Final

from fullon_graphql.errors import BadUserInput, shortened

LONGEST_ID: Final = 256
"""The most characters of an id."""

_PREFIX: Final = "sha256:"
_HASH: Final = re.compile(r"[0-9a-f]{64}")
_ID: Final = re.compile(rf"[A-Za-z0-9\-._~:]{{1,{LONGEST_ID}}}")


def hash_of(text: str) -> str:
    """The SHA-256 hash of a document, in lower-case hexadecimal digits."""
    return sha256(text.encode(errors="surrogatepass")).hexdigest()


def is_hash(id_: str) -> bool:
    """True if `id_` has the form of a SHA-256 hash."""
    return _HASH.fullmatch(id_) is not None


def parse_id(given: str) -> str:
    """The id without the prefix `sha256:`.

    Raises:
        BadUserInput: it is not an id, or its prefix promises a hash that does not follow.
    """
    id_ = given.removeprefix(_PREFIX)
    if not _ID.fullmatch(id_) or (id_ is not given and not is_hash(id_)):
        raise BadUserInput(
            f"{shortened(given)} is not the id of a document. Send `sha256:` and 64 lower-case hexadecimal digits,"
            f" or an id of the manifest: at most {LONGEST_ID} letters, digits and any of `-._~:`."
        )
    return id_
