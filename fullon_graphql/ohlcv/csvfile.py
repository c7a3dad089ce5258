"""A recording on disk: CSV or CSV.gz with a header, read in blocks of constant size."""

from __future__ import annotations

import asyncio
import csv
import gzip
import zlib
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final, cast

from fullon_graphql.errors import BadUserInput, shortened

OnProgress = Callable[[int, int], None]
"""Called with the number of bytes read and the size of the file."""

_BLOCK: Final = 1 << 18
_LONGEST_HEADER: Final = 4096
_GZIP: Final = b"\x1f\x8b"


class CsvFile:
    """An open recording: the header, then the bytes of the rows."""

    def __init__(self, path: Path, raw: BinaryIO, text: BinaryIO, on_progress: OnProgress) -> None:
        self.name = path.name
        self._size = path.stat().st_size
        self._raw, self._text, self._on_progress = raw, text, on_progress

    @classmethod
    @contextmanager
    def open(cls, path: Path, on_progress: OnProgress) -> Iterator[CsvFile]:
        """Open `path`; the first bytes show whether it is compressed."""
        with path.open("rb") as raw:
            if raw.peek(len(_GZIP)).startswith(_GZIP):
                with gzip.open(raw) as text:
                    yield cls(path, raw, cast("BinaryIO", text), on_progress)
            else:
                yield cls(path, raw, raw, on_progress)

    async def header(self, expected: Sequence[str]) -> list[str]:
        """The column names in the order of the file.

        Raises:
            BadUserInput: the names differ from those `expected`.
        """
        line = await asyncio.to_thread(self._read, self._text.readline, _LONGEST_HEADER)
        names = _names(line.decode("utf-8-sig", "replace"))
        if len(names) != len(expected) or set(names) != set(expected):
            raise BadUserInput(
                f"{self.name}, line 1: the header must name {', '.join(expected)}; got {shortened(', '.join(names))}."
            )
        return names

    async def rows(self) -> AsyncIterator[bytes]:
        """The bytes after the header, block by block."""
        while block := await asyncio.to_thread(self._read, self._text.read, _BLOCK):
            self._on_progress(self._raw.tell(), self._size)
            yield block

    def _read(self, read: Callable[[int], bytes], size: int) -> bytes:
        try:
            return read(size)
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            raise BadUserInput(f"{self.name} is damaged and cannot be decompressed: {error}.") from error


def _names(header: str) -> list[str]:
    try:
        return [name.strip() for name in next(csv.reader([header]), [])]
    except csv.Error:  # e.g. a carriage return within the line
        return [header]
