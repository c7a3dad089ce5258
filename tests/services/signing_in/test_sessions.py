from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
import structlog
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from sqlalchemy import select, text, update
from sqlalchemy.exc import DBAPIError

from fullon_graphql.auth.passwords import matches_in_thread
from fullon_graphql.auth.principal import ALL_SCOPES, Principal
from fullon_graphql.auth.tokens import issue_access_token, read_access_token
from fullon_graphql.config import Settings
from fullon_graphql.database import Database
from fullon_graphql.errors import BadUserInput, RateLimited, ServiceUnavailable, Unauthenticated, as_fullon_error
from fullon_graphql.models import Session, User
from fullon_graphql.services.signing_in.sessions import Sessions, SignedIn
from tests.conftest import Count
from tests.fixtures.losing import losing
from tests.fixtures.totp import totp_code
from tests.services.conftest import AddAccount

SEED = "JBSWY3DPEHPK3PXP"


def current_code(steps: int = 0) -> str:
    return totp_code(SEED, datetime.now(UTC) + timedelta(seconds=30 * steps))


async def change_account(database: Database, **values: object) -> None:
    async with database.transaction() as connection:
        await connection.execute(update(User).values(**values))


async def change_sessions(database: Database, **values: object) -> None:
    async with database.transaction() as connection:
        await connection.execute(update(Session).values(**values))


async def is_refused(sessions: Sessions, signed_in: SignedIn) -> bool:
    try:
        await sessions.identify_token(signed_in.access_token)
    except Unauthenticated:
        return True
    return False


SESSION_ID = "be151377-96d5-47f7-a293-59b52f0fde1b"


class TestLogin:
    async def test_login_opens_a_session(self, sessions: Sessions, add_account: AddAccount, database: Database) -> None:
        uid = await add_account()
        before = datetime.now(UTC)
        signed_in = await sessions.login("trader@fullon", "secret", address="10.0.0.1", user_agent="curl/8")
        assert signed_in.uid == uid
        assert signed_in.token_type == "bearer"
        assert timedelta(minutes=59) < signed_in.expires_at - before <= timedelta(minutes=61)
        session = await database.row(select(Session.uid, Session.address, Session.user_agent, Session.expires_at))
        assert session is not None
        assert (session.uid, session.address, session.user_agent) == (uid, "10.0.0.1", "curl/8")
        assert timedelta(days=29) < session.expires_at - before <= timedelta(days=31)

    @pytest.mark.parametrize(
        ("mail", "password"),
        [
            ("trader@fullon", "wrong"),
            ("trader@fullon", ""),
            ("trader@fullon", "secret "),
            ("trader@fullon", "x" * 1000),
            ("trader@fullon", "nul\0"),
            ("nobody@fullon", "secret"),
            ("Trader@fullon", "secret"),
            (" trader@fullon", "secret"),
            ("", "secret"),
            ("trader@fullon\0", "secret"),
            ("\ud800@fullon", "secret"),
            ("m" * 100_000, "secret"),
        ],
        ids=lambda text: ascii(text[:20]),
    )
    async def test_login_with_wrong_credentials_has_one_message(
        self, sessions: Sessions, add_account: AddAccount, mail: str, password: str
    ) -> None:
        await add_account()
        with pytest.raises(Unauthenticated) as refused:
            await sessions.login(mail, password)
        assert refused.value.message == "Invalid credentials"

    async def test_login_of_an_inactive_account_has_the_same_message(
        self, sessions: Sessions, add_account: AddAccount
    ) -> None:
        await add_account(active=False)
        with pytest.raises(Unauthenticated, match=r"^Invalid credentials$"):
            await sessions.login("trader@fullon", "secret")

    async def test_unknown_mail_costs_the_same_as_a_known_one(
        self, sessions: Sessions, add_account: AddAccount, redis: Redis, statements: Count
    ) -> None:
        """Each takes one look-up, one row in the audit log (four statements), one check of a password and one count."""
        await add_account()
        costs = []
        for mail in ("trader@fullon", "nobody@fullon"):
            await redis.flushdb()
            with statements() as seen, pytest.raises(Unauthenticated):
                await sessions.login(mail, "wrong", address="10.0.0.1")
            costs.append((seen, len(await redis.keys("fullon_graphql:*"))))
        assert costs[0] == costs[1]
        assert len(costs[0][0]) == 1 + 4

    async def test_stored_user_agent_is_shortened_and_cleaned(
        self, sessions: Sessions, add_account: AddAccount, database: Database
    ) -> None:
        await add_account()
        await sessions.login("trader@fullon", "secret", user_agent="a\0b\nc" + "d" * 10_000)
        row = await database.row(select(Session.user_agent))
        assert row is not None
        assert row[0] == "abc" + "d" * 195

    async def test_login_requires_redis_and_existing_sessions_do_not(
        self, sessions: Sessions, add_account: AddAccount, database: Database, settings: Settings
    ) -> None:
        await add_account()
        signed_in = await sessions.login("trader@fullon", "secret")
        down = Redis.from_url("redis://127.0.0.1:1", retry=Retry(NoBackoff(), 0))
        without = Sessions(database, down, settings)
        with pytest.raises(ServiceUnavailable) as refused:
            await without.login("trader@fullon", "secret")
        assert refused.value.service == "redis"
        renewed = await without.refresh(signed_in.refresh_token)
        assert (await without.identify_token(renewed.access_token)).mail == "trader@fullon"


class TestOneTimeCodes:
    async def test_login_requires_totp_once_enrolled(self, sessions: Sessions, add_account: AddAccount) -> None:
        uid = await add_account(f2a=SEED)
        with pytest.raises(Unauthenticated, match="one-time code"):
            await sessions.login("trader@fullon", "secret")
        assert (await sessions.login("trader@fullon", "secret", current_code())).uid == uid

    async def test_wrong_password_does_not_reveal_the_enrolment(
        self, sessions: Sessions, add_account: AddAccount
    ) -> None:
        await add_account(f2a=SEED)
        with pytest.raises(Unauthenticated, match=r"^Invalid credentials$"):
            await sessions.login("trader@fullon", "wrong")

    async def test_wrong_code_is_refused(self, sessions: Sessions, add_account: AddAccount) -> None:
        await add_account(f2a=SEED)
        with pytest.raises(Unauthenticated, match=r"^Invalid credentials$"):
            await sessions.login("trader@fullon", "secret", current_code(steps=20))

    async def test_code_opens_one_session(self, sessions: Sessions, add_account: AddAccount) -> None:
        await add_account(f2a=SEED)
        code = current_code()
        attempts = (sessions.login("trader@fullon", "secret", code) for _ in range(4))
        answers = await asyncio.gather(*attempts, return_exceptions=True)
        assert len([answer for answer in answers if isinstance(answer, SignedIn)]) == 1
        assert len([answer for answer in answers if isinstance(answer, Unauthenticated)]) == 3

    async def test_next_code_opens_another_session(self, sessions: Sessions, add_account: AddAccount) -> None:
        await add_account(f2a=SEED)
        await sessions.login("trader@fullon", "secret", current_code())
        await sessions.login("trader@fullon", "secret", current_code(steps=1))

    async def test_code_used_by_one_account_is_valid_for_another(
        self, sessions: Sessions, add_account: AddAccount
    ) -> None:
        await add_account(f2a=SEED)
        await add_account("other@fullon", f2a=SEED)
        code = current_code()
        await sessions.login("trader@fullon", "secret", code)
        await sessions.login("other@fullon", "secret", code)

    async def test_wrong_codes_are_throttled_and_missing_ones_are_not(
        self, sessions: Sessions, add_account: AddAccount
    ) -> None:
        await add_account(f2a=SEED)
        for _ in range(10):
            with pytest.raises(Unauthenticated, match="one-time code"):
                await sessions.login("trader@fullon", "secret")
        for _ in range(5):
            with pytest.raises(Unauthenticated):
                await sessions.login("trader@fullon", "secret", current_code(steps=20))
        with pytest.raises(RateLimited):
            await sessions.login("trader@fullon", "secret", current_code())

    async def test_login_with_an_unreadable_seed_is_refused(self, sessions: Sessions, add_account: AddAccount) -> None:
        await add_account(f2a="garbage")
        for code in (None, "000000"):
            with pytest.raises(Unauthenticated):
                await sessions.login("trader@fullon", "secret", code)


class TestThrottling:
    async def test_right_password_is_refused_after_five_failures(
        self, sessions: Sessions, add_account: AddAccount
    ) -> None:
        await add_account()
        for _ in range(5):
            with pytest.raises(Unauthenticated):
                await sessions.login("trader@fullon", "wrong")
        with pytest.raises(RateLimited) as refused:
            await sessions.login("trader@fullon", "secret")
        assert 0 < refused.value.retry_after <= 61

    async def test_failures_do_not_affect_other_accounts(self, sessions: Sessions, add_account: AddAccount) -> None:
        await add_account()
        await add_account("other@fullon")
        for _ in range(5):
            with pytest.raises(Unauthenticated):
                await sessions.login("trader@fullon", "wrong", address="10.0.0.1")
        await sessions.login("other@fullon", "secret", address="10.0.0.1")

    async def test_successful_login_clears_the_count(self, sessions: Sessions, add_account: AddAccount) -> None:
        await add_account()
        for _ in range(3):
            for _ in range(4):
                with pytest.raises(Unauthenticated):
                    await sessions.login("trader@fullon", "wrong")
            await sessions.login("trader@fullon", "secret")

    async def test_concurrent_guesses_do_not_exceed_the_limit(
        self, sessions: Sessions, add_account: AddAccount, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The check of the right password begins before the wrong ones have failed, and ends after them."""
        await add_account()
        checking, failed = asyncio.Event(), asyncio.Event()

        async def slowly(password: str, stored: str | None) -> bool:
            if password == "secret":
                checking.set()
                await failed.wait()
            return await matches_in_thread(password, stored)

        monkeypatch.setattr("fullon_graphql.services.signing_in.sessions.matches_in_thread", slowly)
        right = asyncio.create_task(sessions.login("trader@fullon", "secret"))
        await checking.wait()
        for _ in range(5):
            with pytest.raises(Unauthenticated):
                await sessions.login("trader@fullon", "wrong")
        failed.set()
        with pytest.raises(RateLimited):
            await right

    async def test_concurrent_logins_with_the_right_password_succeed(
        self, sessions: Sessions, add_account: AddAccount
    ) -> None:
        await add_account()
        answers = await asyncio.gather(*(sessions.login("trader@fullon", "secret") for _ in range(20)))
        assert len({answer.refresh_token for answer in answers}) == 20


class TestRefresh:
    async def test_refresh_returns_a_new_pair_of_tokens(self, sessions: Sessions, add_account: AddAccount) -> None:
        uid = await add_account()
        first = await sessions.login("trader@fullon", "secret")
        second = await sessions.refresh(first.refresh_token)
        third = await sessions.refresh(second.refresh_token)
        assert len({first.refresh_token, second.refresh_token, third.refresh_token}) == 3
        principal = await sessions.identify_token(third.access_token)
        assert principal.uid == uid
        assert principal.credential == f"session:{first.refresh_token.split('.')[0]}"

    async def test_refresh_token_is_stored_as_a_hash(
        self, sessions: Sessions, add_account: AddAccount, database: Database
    ) -> None:
        uid = await add_account()
        signed_in = await sessions.open(uid, "trader@fullon")
        row = await database.row(text("SELECT cast(s AS text) FROM fullon_graphql.sessions s"))
        assert row is not None
        assert signed_in.refresh_token.split(".")[1] not in row[0]
        assert signed_in.refresh_token.split(".")[1].encode().hex() not in row[0]

    async def test_reused_refresh_token_ends_its_session(self, sessions: Sessions, add_account: AddAccount) -> None:
        await add_account()
        first = await sessions.login("trader@fullon", "secret")
        second = await sessions.refresh(first.refresh_token)
        with pytest.raises(Unauthenticated, match="used before"):
            await sessions.refresh(first.refresh_token)
        with pytest.raises(Unauthenticated, match="has ended"):
            await sessions.refresh(second.refresh_token)
        assert await is_refused(sessions, second)

    async def test_reused_refresh_token_does_not_affect_other_sessions(
        self, sessions: Sessions, add_account: AddAccount
    ) -> None:
        await add_account()
        stolen, other = [await sessions.login("trader@fullon", "secret") for _ in range(2)]
        await sessions.refresh(stolen.refresh_token)
        with pytest.raises(Unauthenticated):
            await sessions.refresh(stolen.refresh_token)
        assert not await is_refused(sessions, other)
        await sessions.refresh(other.refresh_token)

    async def test_one_of_several_concurrent_refreshes_succeeds(
        self, sessions: Sessions, add_account: AddAccount
    ) -> None:
        await add_account()
        signed_in = await sessions.login("trader@fullon", "secret")
        attempts = (sessions.refresh(signed_in.refresh_token) for _ in range(8))
        answers = await asyncio.gather(*attempts, return_exceptions=True)
        assert len([answer for answer in answers if isinstance(answer, SignedIn)]) == 1
        assert len([answer for answer in answers if isinstance(answer, Unauthenticated)]) == 7

    async def test_session_of_an_inactive_account_is_not_renewed(
        self, sessions: Sessions, add_account: AddAccount, database: Database
    ) -> None:
        await add_account()
        signed_in = await sessions.login("trader@fullon", "secret")
        await change_account(database, active=False)
        with pytest.raises(Unauthenticated):
            await sessions.refresh(signed_in.refresh_token)

    async def test_expired_session_is_not_renewed(
        self, sessions: Sessions, add_account: AddAccount, database: Database
    ) -> None:
        await add_account()
        signed_in = await sessions.login("trader@fullon", "secret")
        await change_sessions(database, expires_at=datetime.now(UTC) - timedelta(seconds=1))
        with pytest.raises(Unauthenticated, match="has ended"):
            await sessions.refresh(signed_in.refresh_token)

    @pytest.mark.parametrize(
        "token",
        ["", "x", "\0", "\ud800", SESSION_ID, f"{SESSION_ID}.", f"{SESSION_ID}.short", "z" * 36 + "." + "a" * 43],
        ids=ascii,
    )
    async def test_malformed_refresh_token_is_refused(self, sessions: Sessions, token: str) -> None:
        with pytest.raises(Unauthenticated, match="malformed"):
            await sessions.refresh(token)

    async def test_refresh_token_of_an_unknown_session_is_refused(self, sessions: Sessions) -> None:
        with pytest.raises(Unauthenticated, match="has ended"):
            await sessions.refresh(f"{uuid4()}.{'a' * 43}")


class TestLogout:
    async def test_logout_invalidates_both_tokens(self, sessions: Sessions, add_account: AddAccount) -> None:
        await add_account()
        signed_in = await sessions.login("trader@fullon", "secret")
        principal = await sessions.identify_token(signed_in.access_token)
        await sessions.logout(principal)
        assert await is_refused(sessions, signed_in)
        with pytest.raises(Unauthenticated):
            await sessions.refresh(signed_in.refresh_token)
        await sessions.logout(principal)

    async def test_logout_keeps_other_sessions(self, sessions: Sessions, add_account: AddAccount) -> None:
        await add_account()
        here, there = [await sessions.login("trader@fullon", "secret") for _ in range(2)]
        await sessions.logout(await sessions.identify_token(here.access_token))
        assert not await is_refused(sessions, there)

    async def test_logout_by_api_key_is_refused(self, sessions: Sessions) -> None:
        with pytest.raises(BadUserInput, match="credential has no session"):
            await sessions.logout(Principal(1, "trader@fullon", False, "api_key:1", None))


class TestIdentify:
    async def test_session_has_every_scope_until_its_token_expires(
        self, sessions: Sessions, add_account: AddAccount
    ) -> None:
        uid = await add_account()
        signed_in = await sessions.login("trader@fullon", "secret")
        principal = await sessions.identify_token(signed_in.access_token)
        assert (principal.uid, principal.mail, principal.is_admin) == (uid, "trader@fullon", False)
        assert principal.expires_at == signed_in.expires_at
        assert principal.scopes == ALL_SCOPES

    @pytest.mark.parametrize(
        ("mail", "role", "is_admin"),
        [("a@fullon", "ADMIN", True), ("admin@fullon", "USER", True), ("b@fullon", "USER", False)],
    )
    async def test_administrator_is_identified_by_role_or_mail(
        self, sessions: Sessions, add_account: AddAccount, mail: str, role: str, is_admin: bool
    ) -> None:
        signed_in = await sessions.open(await add_account(mail, role=role), mail)
        assert (await sessions.identify_token(signed_in.access_token)).is_admin is is_admin

    async def test_principal_has_the_stored_account_and_not_the_claims(
        self, sessions: Sessions, add_account: AddAccount, database: Database
    ) -> None:
        await add_account(role="ADMIN")
        signed_in = await sessions.login("trader@fullon", "secret")
        await change_account(database, role="USER", mail="renamed@fullon")
        principal = await sessions.identify_token(signed_in.access_token)
        assert (principal.mail, principal.is_admin) == ("renamed@fullon", False)

    async def test_deactivated_account_is_refused_at_once(
        self, sessions: Sessions, add_account: AddAccount, database: Database
    ) -> None:
        await add_account()
        signed_in = await sessions.login("trader@fullon", "secret")
        await change_account(database, active=False)
        with pytest.raises(Unauthenticated, match="not active"):
            await sessions.identify_token(signed_in.access_token)

    async def test_expired_session_is_refused_with_an_unexpired_token(
        self, sessions: Sessions, add_account: AddAccount, database: Database
    ) -> None:
        await add_account()
        signed_in = await sessions.login("trader@fullon", "secret")
        await change_sessions(database, expires_at=datetime.now(UTC) - timedelta(seconds=1))
        assert await is_refused(sessions, signed_in)

    async def test_token_with_the_session_of_another_account_is_refused(
        self, sessions: Sessions, add_account: AddAccount, settings: Settings
    ) -> None:
        uid = await add_account()
        session_id = read_access_token(settings, (await sessions.open(uid, "a@b")).access_token).session_id
        token, _ = issue_access_token(settings, uid + 1, "a@b", session_id, datetime.now(UTC))
        with pytest.raises(Unauthenticated, match="has ended"):
            await sessions.identify_token(token)

    async def test_identification_takes_one_statement(
        self, sessions: Sessions, add_account: AddAccount, statements: Count
    ) -> None:
        signed_in = await sessions.open(await add_account(), "trader@fullon")
        with statements() as seen:
            await sessions.identify_token(signed_in.access_token)
        assert len(seen) == 1


async def test_sign_in_refresh_and_logout_are_repeated_after_a_lost_transaction(
    sessions: Sessions, add_account: AddAccount, database: Database
) -> None:
    await add_account()
    async with losing(database, "fullon_graphql.sessions", 2, "40001"):
        signed_in = await sessions.login("trader@fullon", "secret")
    async with losing(database, "fullon_graphql.sessions", 2, "40P01"):
        renewed = await sessions.refresh(signed_in.refresh_token)
    principal = await sessions.identify_token(renewed.access_token)
    async with losing(database, "fullon_graphql.sessions", 2, "55P03"):
        await sessions.logout(principal)
    assert await is_refused(sessions, renewed)


async def test_refresh_token_stays_valid_if_its_renewal_loses_for_good(
    sessions: Sessions, add_account: AddAccount, database: Database
) -> None:
    await add_account()
    signed_in = await sessions.login("trader@fullon", "secret")
    async with losing(database, "fullon_graphql.sessions", 3, "40001"):
        with pytest.raises(DBAPIError) as failed:
            await sessions.refresh(signed_in.refresh_token)
    assert as_fullon_error(failed.value, "").extensions["retryAfter"] == 1
    await sessions.refresh(signed_in.refresh_token)


async def test_logs_and_errors_contain_no_secret(
    sessions: Sessions, add_account: AddAccount, caplog: pytest.LogCaptureFixture
) -> None:
    await add_account(password="pa55w0rd-in-use", f2a=SEED)
    caplog.set_level("DEBUG")
    code = current_code()
    errors: list[str] = []
    with structlog.testing.capture_logs() as logs:
        signed_in = await sessions.login("trader@fullon", "pa55w0rd-in-use", code)
        renewed = await sessions.refresh(signed_in.refresh_token)
        attempts = (
            sessions.login("trader@fullon", "pa55w0rd-in-use", code),
            sessions.login("typed-my-pa55w0rd-in-use-here", "wr0ng-guess"),
            sessions.refresh(signed_in.refresh_token),
            sessions.refresh(renewed.refresh_token),
            sessions.identify_token(renewed.access_token),
            sessions.identify_token(renewed.access_token[:-4] + "AAAA"),
        )
        for attempt in attempts:
            with pytest.raises(Unauthenticated) as refused:
                await attempt
            errors.append(repr(refused.value))
    assert logs, "refusals are logged"
    everything = f"{logs}{caplog.text}{errors}{signed_in!r}{renewed!r}"
    tokens = [signed_in.access_token, renewed.access_token]
    refresh_secrets = [signed_in.refresh_token.split(".")[1], renewed.refresh_token.split(".")[1]]
    for secret in ["pa55w0rd-in-use", "wr0ng-guess", SEED, code, *tokens, *refresh_secrets]:
        assert secret not in everything
