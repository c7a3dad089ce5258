"""Plain technical English: words and phrases that the repository avoids in its texts.

Texts are documents, docstrings, comments, and the sentences in string literals (descriptions, help, errors).
"""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.docs.documents import ROOT, source_files

AVOIDED: Final = re.compile(
    r"""
    \b(?:
        whoever | whomever | nobody | somebody | anybody | anew | besides
      | tells? | told | hears? | heard | (?:goes | go | went | going)\ on
      | stands\ (?:for | in | instead | upon | there) | comes?\ to\ light | sees?\ to\ it | let\ in
      | looked\ at | looks?\ at | in\ earnest | no\ good | (?:is | are)\ good | amiss | under\ way | by\ way\ of | for\ want\ of
      | where\ (?:there | it | they | nothing | both | one | all | none)\ (?:is | are | has | have | does | do | can | may)
      | what\ (?:is | are | was | were | has | have | comes | came)
      | blows? | manners | tenure | patience | riddles?
    )\b
    | (?-i: ^["'\#/*\s]*(?:Who | What)\b(?!.*\?) )
    """,
    re.IGNORECASE | re.VERBOSE,
)
"""A technical statement names its subject: the caller, the subscriber, the server. Conditions begin with "if"."""

ALLOWED: Final = {
    "docs/decisions/0016-the-house.md": "names the vocabulary that it replaces",
    "tests/docs/test_language.py": "lists the words",
    "tests/docs/test_names.py": "lists the former names",
}
"""Files that are left out, with the reason."""

LITERALS: Final = re.compile(r"\S+@\S+|`[^`]*`|\"nobody\"|query \w+")
"""Parts of a text that are no statements: mails, code and GraphQL."""

COMMENT: Final = re.compile(r"/\*.*?\*/|(?<!:)//[^\n]*", re.DOTALL)
SUFFIXES: Final = (".py", ".md", ".ts", ".tsx", ".mjs", ".js", ".css", ".toml", "Makefile", "run", "test-wheel")
FILES: Final = [path for path in source_files(*SUFFIXES) if str(path.relative_to(ROOT)) not in ALLOWED]


def texts(path: Path) -> Iterator[tuple[int, str]]:
    """The texts of a file, each with its line: everything in documents, comments and sentences in code."""
    source = path.read_text()
    match path.suffix:
        case ".py":
            for token in tokenize.generate_tokens(io.StringIO(source).readline):
                if token.type == tokenize.COMMENT:
                    yield token.start[0], token.string
            for node in ast.walk(ast.parse(source)):
                if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.count(" ") > 1:
                    yield node.lineno, node.value
        case ".ts" | ".tsx" | ".mjs" | ".js" | ".css":
            for comment in COMMENT.finditer(source):
                yield source.count("\n", 0, comment.start()) + 1, comment[0]
        case _:
            yield from ((line, text) for line, text in enumerate(source.splitlines(), 1) if not text.startswith("## "))


def avoided(path: Path) -> list[tuple[int, str]]:
    """The avoided words in a file, each with the line at which its text begins."""
    return [
        (line, found[0].strip()) for line, text in texts(path) for found in AVOIDED.finditer(LITERALS.sub("", text))
    ]


def test_texts_use_plain_terms() -> None:
    assert FILES
    assert {str(path.relative_to(ROOT)): found for path in FILES if (found := avoided(path))} == {}


@pytest.mark.parametrize(
    ("name", "source", "expected"),
    [
        ("a.py", '"""Promise."""\n\nnobody = "somebody"  # whoever asks is told\n', [(3, "whoever"), (3, "told")]),
        ("a.py", '"""What is left."""\n', [(1, "What is")]),
        ("a.py", 'raise ValueError("The stream goes on.")\n', [(1, "goes on")]),
        ("a.ts", "const tells = 1; /** Subscribe anew. */\n", [(1, "anew")]),
        ("a.md", "It is null where there is no price.\n", [(1, "where there is")]),
        ("a.md", "## What is compared\n\nAsk `nobody`.\n", []),
    ],
)
def test_avoided_word_is_detected(tmp_path: Path, name: str, source: str, expected: list[tuple[int, str]]) -> None:
    path = tmp_path / name
    path.write_text(source)
    assert avoided(path) == expected


def test_allowed_files_exist() -> None:
    assert [name for name in ALLOWED if not (ROOT / name).exists()] == []
