"""Manifests of trusted documents, as tools write them."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fullon_graphql.engine.trusted.identifiers import hash_of
from fullon_graphql.engine.trusted.manifests import ManifestError, _manifest, read_manifest, stamp

ME, BOTS = "query Me { me { uid } }", "query Bots { bots { nodes { name } } }"


def written(folder: Path, content: Any) -> Path:
    file = folder / "manifest.json"
    file.write_text(content if isinstance(content, str) else json.dumps(content))
    return file


def test_object_of_ids_and_documents_is_read(tmp_path: Path) -> None:
    manifest = read_manifest(written(tmp_path, {"x-own:1": ME, f"sha256:{hash_of(BOTS)}": BOTS}))
    assert manifest.ids == {ME: "x-own:1", BOTS: hash_of(BOTS)}
    assert manifest.documents == {"x-own:1": ME, hash_of(ME): ME, hash_of(BOTS): BOTS}


def test_operation_manifest_of_apollo_is_read(tmp_path: Path) -> None:
    operation = {"id": hash_of(ME), "name": "Me", "type": "query", "body": ME}
    manifest = {"format": "apollo-persisted-query-manifest", "version": 1, "operations": [operation]}
    assert read_manifest(written(tmp_path, manifest)).documents == {hash_of(ME): ME}


def test_every_graphql_file_of_a_folder_is_a_document_with_the_hash_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "desk").mkdir()
    (tmp_path / "desk" / "me.graphql").write_bytes(ME.encode() + b"\r\n")
    (tmp_path / "bots.graphql").write_text(BOTS)
    (tmp_path / "readme.md").write_text("no document")
    assert read_manifest(tmp_path).documents == {hash_of(f"{ME}\r\n"): f"{ME}\r\n", hash_of(BOTS): BOTS}


@given(st.dictionaries(st.from_regex(r"[A-Za-z0-9._~-]{1,40}", fullmatch=True), st.text(max_size=30)))
def test_every_document_is_found_by_its_id_and_by_its_hash(entries: dict[str, str]) -> None:
    manifest = _manifest(entries.items())
    for id_, text in entries.items():
        assert manifest.documents[id_] == text
        assert manifest.documents[hash_of(text)] == text or hash_of(text) in entries
        assert entries[manifest.ids[text]] == text


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{", "is not JSON"),
        ([], "must have a JSON object"),
        ({"a": 1}, "the document of 'a' must be a string"),
        ({"a b": ME}, "'a b' is not the id of a document"),
        ({"format": "other", "version": 1}, "has the format 'other'"),
        ({"format": "apollo-persisted-query-manifest", "version": 2, "operations": []}, "is not supported"),
        ({"format": "apollo-persisted-query-manifest", "version": 1, "operations": [{"id": "a"}]}, "`id` and `body`"),
        ({"sha256:" + "0" * 64: ME, "0" * 64: BOTS}, "is used for two documents"),
    ],
)
def test_invalid_manifest_is_an_error_that_names_the_file(tmp_path: Path, content: Any, said: str) -> None:
    file = written(tmp_path, content)
    with pytest.raises(ManifestError) as caught:
        read_manifest(file)
    assert str(file) in str(caught.value)
    assert said in str(caught.value)


def test_absent_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match="No such file"):
        read_manifest(tmp_path / "absent.json")
    (tmp_path / "broken.graphql").write_bytes(b"\xff")
    with pytest.raises(ManifestError, match="utf-8"):
        read_manifest(tmp_path)


def test_stamp_changes_with_every_file(tmp_path: Path) -> None:
    stamps = [stamp(tmp_path / "absent")]
    for name, text in (("a", ME), ("b", BOTS), ("a", BOTS)):
        (tmp_path / f"{name}.graphql").write_text(text)
        stamps.append(stamp(tmp_path))
    assert stamps[0] is None
    assert all(one != other for one, other in pairwise(stamps))
