from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from fullon_graphql.auth.totp import is_enrolled, matching_step
from tests.fixtures.totp import totp_code

SEED = "JBSWY3DPEHPK3PXP"
NOW = datetime(2026, 1, 2, 3, 4, 15, tzinfo=UTC)
STEP = int(NOW.timestamp()) // 30


def code_at(moment: datetime, seed: str = SEED) -> str:
    return totp_code(seed, moment)


def test_code_of_another_implementation_is_accepted() -> None:
    first_step = datetime.fromtimestamp(30, UTC)
    assert matching_step(SEED, "996554", first_step) == 1


@pytest.mark.parametrize(("seconds", "step"), [(-30, STEP - 1), (0, STEP), (30, STEP + 1)])
def test_code_is_accepted_one_step_early_or_late(seconds: int, step: int) -> None:
    assert matching_step(SEED, code_at(NOW + timedelta(seconds=seconds)), NOW) == step


@pytest.mark.parametrize("seconds", [-60, 60, 3600])
def test_code_is_refused_two_steps_early_or_late(seconds: int) -> None:
    assert matching_step(SEED, code_at(NOW + timedelta(seconds=seconds)), NOW) is None


def test_seed_ignores_blanks_and_case() -> None:
    code = code_at(NOW)
    assert matching_step(SEED.lower(), f" {code[:3]} {code[3:]} ", NOW) == STEP


@pytest.mark.parametrize("code", ["", "12345", "1234567", "abcdef", "-12345", "\0" * 6, "\ud800"], ids=ascii)
def test_malformed_code_never_matches(code: str) -> None:
    assert matching_step(SEED, code, NOW) is None


def test_digits_of_other_scripts_never_match() -> None:
    arabic = code_at(NOW).translate({ord("0") + digit: 0x660 + digit for digit in range(10)})
    assert matching_step(SEED, arabic, NOW) is None


@pytest.mark.parametrize("f2a", [None, "", "   ", "---", "--- "])
def test_account_without_a_seed_is_not_enrolled(f2a: str | None) -> None:
    assert not is_enrolled(f2a)


@pytest.mark.parametrize("f2a", [SEED, "garbage", "========", "JBSWY3DPEHPK3PX"])
def test_account_with_any_other_seed_is_enrolled(f2a: str) -> None:
    assert is_enrolled(f2a)


@pytest.mark.parametrize("f2a", ["garbage", "=" * 8, "=" * 16, "JBSWY3DPEHPK3PX", "0189" * 4])
def test_no_code_matches_an_invalid_seed(f2a: str) -> None:
    assert all(matching_step(f2a, f"{code:06}", NOW) is None for code in range(0, 1_000_000, 997))
