"""Extraction of operations from the source of front ends."""

from __future__ import annotations

from pathlib import Path

import pytest
from graphql import parse, print_ast, validate

from fullon_graphql.engine.trusted.extraction import ExtractionError, extract
from fullon_graphql.engine.trusted.identifiers import hash_of
from fullon_graphql.graph import Graph
from tests.docs.documents import ROOT

SOURCE = r"""
import { graphql } from "./gql";
/**
 * const query = gql(`query Example { nothing }`);
 */
// graphql(`query Other {`)
export const Me = graphql(`
  query Me { me { ...B uid ...A } }
`);
const fragment = gql`fragment A on User { mail ...B }`;
export const B = /* GraphQL */ `fragment B on User { name }`;
const other = gql<Data>`${A} ${B.fragment}
  mutation Stop { stopService(name: TICKER) { state } }`;
const text = sql`SELECT 1`;
const notOurs = mygql`query Not { none }`;
"""
ME = """\
query Me {
  me {
    ...B
    uid
    ...A
  }
}

fragment A on User {
  mail
  ...B
}

fragment B on User {
  name
}"""


def test_operations_are_found_with_their_fragments_in_order(tmp_path: Path) -> None:
    (tmp_path / "app.tsx").write_text(SOURCE)
    (tmp_path / "node_modules").mkdir()
    (tmp_path / "node_modules" / "library.js").write_text("gql`query Library { none }`")
    (tmp_path / "list.graphql").write_text("query List { services { state } }\nquery All { me { uid } }")
    found = extract([tmp_path])
    assert [(one.name, one.type) for one in found] == [
        ("All", "query"), ("List", "query"), ("Me", "query"), ("Stop", "mutation"),
    ]  # fmt: skip
    assert found[2].body == ME
    assert all(one.id == hash_of(one.body) for one in found)


def test_typename_is_added_as_apollo_client_adds_it(tmp_path: Path) -> None:
    file = tmp_path / "app.ts"
    file.write_text(
        "gql`query A { me { uid bots { nodes { __typename name } } } ...F } fragment F on Query { __schema { types { name } } }`"
    )
    [found] = extract([file], typename=True)
    wanted = (
        "query A { me { uid bots { nodes { __typename name } __typename } __typename } ...F }"
        " fragment F on Query { __schema { types { name __typename } __typename } }"
    )
    assert found.body == print_ast(parse(wanted))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("\ngql`query A {`", "app.ts:2: Syntax Error"),
        ("gql`{ me { uid } }`", "app.ts:1: the operation needs a name"),
        ("gql`query A { me { ...F } }`", "app.ts:1: the fragment F is not defined"),
        ("gql`query A { me { uid } }`\ngql`query A { me { mail } }`", "app.ts:2: A is defined differently at"),
        ("gql`type A { b: Int }`", "app.ts:1: only operations and fragments"),
    ],
)
def test_document_that_cannot_be_sent_is_an_error_with_its_place(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "app.ts").write_text(text)
    with pytest.raises(ExtractionError) as caught:
        extract([tmp_path])
    assert said in str(caught.value)


def test_equal_definitions_in_several_files_are_one_document(tmp_path: Path) -> None:
    for name in ("a.ts", "b.ts"):
        (tmp_path / name).write_text("gql`query A { me { uid } }`")
    assert len(extract([tmp_path])) == 1


def test_every_operation_of_the_desk_is_extracted_and_valid(schema: Graph) -> None:
    found = extract([ROOT / "web" / "src"], typename=True)
    assert len(found) >= 30
    assert [validate(schema.core, parse(one.body)) for one in found] == [[]] * len(found)
