from __future__ import annotations

import asyncio
import hashlib
import unicodedata
from typing import Literal

import bcrypt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fullon_graphql.auth import passwords
from fullon_graphql.auth.passwords import ROUNDS, hash_password, matches_in_thread, password_matches
from fullon_graphql.errors import BadUserInput, RateLimited

Form = Literal["NFC", "NFD"]


def composed(password: str) -> str:
    return unicodedata.normalize("NFC", password)


def cheap_hash(password: str) -> str:
    return bcrypt.hashpw(password.encode(), bcrypt.gensalt(4)).decode()


def test_new_hash_matches_its_password_at_the_platforms_cost() -> None:
    hashed = hash_password("correct horse")
    assert hashed.startswith(f"$2b${ROUNDS}$")
    assert len(hashed) == 60
    assert password_matches("correct horse", hashed)
    assert not password_matches("correct hors", hashed)


def test_padding_of_the_char_column_is_ignored() -> None:
    assert password_matches("secret", cheap_hash("secret").ljust(64))


def test_blanks_of_a_password_are_significant() -> None:
    assert not password_matches("secret ", cheap_hash("secret"))


def test_sha256_hash_never_matches() -> None:
    assert not password_matches("secret", hashlib.sha256(b"secret").hexdigest())


@pytest.mark.parametrize(
    "stored", [None, "", " " * 64, "---", "$2b$12$short", "$2b$99$" + "a" * 53, "$2b$04$" + "a" * 53, "ü" * 60]
)
def test_malformed_hash_never_matches(stored: str | None) -> None:
    assert not password_matches("secret", stored)
    assert not password_matches("", stored)


@pytest.mark.parametrize("password", ["", "x" * 73, "ü" * 37, "nul\0", "half a pair \ud800"], ids=ascii)
def test_unreadable_passwords_are_refused_when_set(password: str) -> None:
    with pytest.raises(BadUserInput, match="1 to 72 bytes") as refused:
        hash_password(password)
    assert refused.value.field == "password"


@pytest.mark.parametrize("password", ["", "nul\0", "half a pair \ud800", "x" * 71 + "\0"], ids=ascii)
def test_unreadable_passwords_are_wrong_when_tried(password: str) -> None:
    assert not password_matches(password, cheap_hash("x" * 72))


def test_first_72_bytes_of_a_long_password_match_a_hash_that_an_old_bcrypt_cut() -> None:
    password = "ü" * 30 + "correct horse battery staple"
    assert len(password.encode()) > 72
    stored = bcrypt.hashpw(password.encode()[:72], bcrypt.gensalt(4)).decode()
    assert password_matches(password, stored)
    assert password_matches(unicodedata.normalize("NFD", password), stored)
    assert not password_matches("ü" * 29 + password, stored)


@pytest.mark.parametrize("stored", ["NFC", "NFD"])
@pytest.mark.parametrize("typed", ["NFC", "NFD"])
def test_every_unicode_form_of_a_password_matches(stored: Form, typed: Form) -> None:
    hashed = cheap_hash(unicodedata.normalize(stored, "Zürich ǟ한"))
    assert password_matches(unicodedata.normalize(typed, "Zürich ǟ한"), hashed)
    assert not password_matches(unicodedata.normalize(typed, "Zurich ǟ한"), hashed)


def test_new_password_is_hashed_composed() -> None:
    assert bcrypt.checkpw("Zürich".encode(), hash_password(unicodedata.normalize("NFD", "Zürich")).encode())
    assert password_matches("ü" * 36, hash_password(unicodedata.normalize("NFD", "ü" * 36))), "72 bytes when composed"


def test_long_password_of_combining_characters_is_answered_at_once() -> None:
    """Normalization of all of it would take minutes, and stop every thread."""
    assert not password_matches("a" + "\u0315\u0300" * 500_000, cheap_hash("secret"))


def test_password_repeated_after_a_nul_does_not_match() -> None:
    """To bcrypt itself the two are one."""
    assert not password_matches("x\0x", cheap_hash("x"))


@pytest.mark.parametrize("stored", [None, "---", cheap_hash("other")], ids=["no account", "no hash", "wrong"])
@pytest.mark.parametrize(("password", "checks"), [("guess", 1), ("", 1), ("x" * 100, 1), ("gueß", 1), ("güß", 2)])
def test_checks_of_a_refusal_depend_on_the_password_alone(
    stored: str | None, password: str, checks: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    checked: list[bytes] = []
    really = bcrypt.checkpw

    def checkpw(given: bytes, hashed: bytes) -> bool:
        checked.append(hashed)
        return really(given, hashed)

    monkeypatch.setattr(bcrypt, "checkpw", checkpw)
    assert not password_matches(password, stored)
    assert len(checked) == checks


def test_stand_in_has_the_cost_of_a_real_hash(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[bytes] = []

    def checkpw(_: bytes, hashed: bytes) -> bool:
        seen.append(hashed)
        return True

    monkeypatch.setattr(bcrypt, "checkpw", checkpw)
    assert not password_matches("anything", None), "not even where the stand-in fits"
    assert seen[0].startswith(f"$2b${ROUNDS}$".encode())


@given(st.text(max_size=30), st.text(max_size=30))
@settings(max_examples=25, deadline=None)
def test_only_the_same_password_matches(password: str, other: str) -> None:
    try:
        readable = 0 < len(composed(password).encode()) <= 72 and "\0" not in password
    except UnicodeEncodeError:
        readable = False
    stored = cheap_hash(composed(password) if readable else "something")
    assert password_matches(password, stored) is readable
    assert password_matches(other, stored) is (readable and composed(other) == composed(password))


async def test_concurrent_checks_are_answered_up_to_a_limit() -> None:
    stored = cheap_hash("secret")
    attempts = (matches_in_thread("secret", stored) for _ in range(100))
    answers = await asyncio.gather(*attempts, return_exceptions=True)
    refused = [answer for answer in answers if isinstance(answer, RateLimited)]
    assert answers.count(True) == 64
    assert len(refused) == 36
    assert await matches_in_thread("secret", stored), "the places are given back"


async def test_event_loop_runs_during_bcrypt(monkeypatch: pytest.MonkeyPatch) -> None:
    loop, reached = asyncio.get_running_loop(), asyncio.Event()

    def slow_check(*_: str | None) -> bool:
        asyncio.run_coroutine_threadsafe(reached.wait(), loop).result(10)
        return True

    monkeypatch.setattr(passwords, "password_matches", slow_check)
    check = asyncio.create_task(matches_in_thread("secret", None))
    await asyncio.sleep(0)
    reached.set()
    assert await check
