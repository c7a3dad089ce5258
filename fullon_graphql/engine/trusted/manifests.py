"""Manifests: the trusted documents in a file or a folder."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from fullon_graphql.engine.trusted.identifiers import hash_of, parse_id
from fullon_graphql.errors import BadUserInput, shortened


class ManifestError(ValueError):
    """The trusted documents cannot be read. The message names the file."""


@dataclass(frozen=True)
class Manifest:
    """Trusted documents."""

    ids: Mapping[str, str] = field(default_factory=dict)
    """The id of each document by its text."""
    documents: Mapping[str, str] = field(default_factory=dict)
    """The text of each document, by its id and by its SHA-256 hash."""


def read_manifest(path: Path) -> Manifest:
    """The documents of a manifest file, or of a folder with one document in each `*.graphql` file.

    A manifest is an object of id and document, as graphql-codegen and Relay write it, or an operation manifest of
    Apollo. Documents of a folder have the SHA-256 hash of the file as their id.

    Raises:
        ManifestError: it does not exist, cannot be parsed, or uses one id for two documents.
    """
    try:
        return _manifest(_files(path) if path.is_dir() else _entries(path))
    except OSError as error:
        raise ManifestError(f"{path} cannot be read: {error.strerror}.") from error
    except (UnicodeDecodeError, BadUserInput) as error:
        raise ManifestError(f"{path}: {error}") from error


def stamp(path: Path) -> object:
    """A value that changes if a file of the manifest changes; None if there is none."""
    try:
        files = sorted(path.rglob("*.graphql")) if path.is_dir() else [path]
        return [(file, status.st_mtime_ns, status.st_size) for file in files for status in [file.stat()]]
    except OSError:
        return None


def _manifest(entries: Iterable[tuple[str, str]]) -> Manifest:
    ids: dict[str, str] = {}
    documents: dict[str, str] = {}
    for given, text in entries:
        id_ = parse_id(given)
        if documents.setdefault(id_, text) != text:
            raise BadUserInput(f"the id {shortened(given)} is used for two documents.")
        ids.setdefault(text, id_)
    for text in ids:
        documents.setdefault(hash_of(text), text)
    return Manifest(ids, documents)


def _files(folder: Path) -> Iterator[tuple[str, str]]:
    for file in sorted(folder.rglob("*.graphql")):
        text = file.read_bytes().decode()  # as it is: read_text would change line ends, and the hash with them
        yield hash_of(text), text


def _entries(file: Path) -> Iterator[tuple[str, str]]:
    try:
        content: Any = orjson.loads(file.read_bytes())
    except orjson.JSONDecodeError as error:
        raise ManifestError(f"{file} is not JSON: {error}.") from error
    match content:
        case {"format": "apollo-persisted-query-manifest", "version": 1, "operations": list(operations)}:
            entries = [_operation(file, operation) for operation in operations]
        case {"format": str(format_)}:
            raise ManifestError(f"{file} has the format {shortened(format_)}, which is not supported.")
        case dict():
            entries = list(content.items())
        case _:
            raise ManifestError(f"{file} must have a JSON object.")
    for id_, text in entries:
        if not isinstance(text, str):
            raise ManifestError(f"{file}: the document of {shortened(id_)} must be a string.")
        yield id_, text


def _operation(file: Path, operation: Any) -> tuple[str, str]:
    match operation:
        case {"id": str(id_), "body": str(body)}:
            return id_, body
        case _:
            raise ManifestError(f"{file}: {shortened(operation)} is not an operation with `id` and `body`.")
