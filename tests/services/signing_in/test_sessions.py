from __future__ import annotations

import asyncio
import base64
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
import structlog
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.totp import TOTP
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from sqlalchemy import select, text, update

from fullon_graphql.auth.passwords import matches_in_thread
from fullon_graphql.auth.principal import ALL_SCOPES, Principal
from fullon_graphql.auth.tokens import issue_access_token, read_access_token
from fullon_graphql.config import Settings
from fullon_graphql.database import Database
from fullon_graphql.errors import BadUserInput, RateLimited, ServiceUnavailable, Unauthenticated
from fullon_graphql.models import Session, User
from fullon_graphql.services.signing_in.sessions import Sessions, SignedIn
from tests.conftest import Count
from tests.services.conftest import AddAccount

SEED = "JBSWY3DPEHPK3PXP"


def current_code(steps: int = 0) -> str:
    moment = datetime.now(UTC) + timedelta(seconds=30 * steps)
    codes = TOTP(base64.b32decode(SEED), 6, SHA1(), 30, enforce_key_length=False)
    return codes.generate(int(moment.timestamp())).decode()


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
    async def test_the_right_password_opens_a_session(
        self, sessions: Sessions, add_account: AddAccount, database: Database
    ) -> None:
        uid = await add_account()
        before = datetime.now(UTC)
        signed_in = await sessions.login("trader@fullon", "secret", address="10.0.0.1", user_agent="curl/8")
        assert signed_in.uid == uid
        assert signed_in.token_type == "bearer"
        assert timedelta(minutes=59) < signed_in.expires_at - before <= timedelta(minutes=60)
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
    async def test_every_other_pair_gets_the_same_sentence(
        self, sessions: Sessions, add_account: AddAccount, mail: str, password: str
    ) -> None:
        await add_account()
        with pytest.raises(Unauthenticated) as refused:
            await sessions.login(mail, password)
        assert refused.value.message == "Invalid credentials"

    async def test_an_inactive_account_gets_the_same_sentence(
        self, sessions: Sessions, add_account: AddAccount
    ) -> None:
        await add_account(active=False)
        with pytest.raises(Unauthenticated, match=r"^Invalid credentials$"):
            await sessions.login("trader@fullon", "secret")

    async def test_an_unknown_mail_takes_the_same_path_as_a_known_one(
        self, sessions: Sessions, add_account: AddAccount, redis: Redis, statements: Count
    ) -> None:
        """One statement and one check of a password each, and a count for either."""
        await add_account()
        costs = []
        for mail in ("trader@fullon", "nobody@fullon"):
            await redis.flushdb()
            with statements() as seen, pytest.raises(Unauthenticated):
                await sessions.login(mail, "wrong", address="10.0.0.1")
            costs.append((seen, len(await redis.keys("fullon_graphql:*"))))
        assert costs[0] == costs[1]
        assert len(costs[0][0]) == 1

    async def test_a_noted_user_agent_is_short_and_storable(
        self, sessions: Sessions, add_account: AddAccount, database: Database
    ) -> None:
        await add_account()
        await sessions.login("trader@fullon", "secret", user_agent="a\0b\nc" + "d" * 10_000)
        row = await database.row(select(Session.user_agent))
        assert row is not None
        assert row[0] == "abc" + "d" * 195

    async def test_without_redis_nobody_signs_in_but_who_is_in_stays(
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
    async def test_an_enrolled_account_needs_one(self, sessions: Sessions, add_account: AddAccount) -> None:
        uid = await add_account(f2a=SEED)
        with pytest.raises(Unauthenticated, match="one-time code"):
            await sessions.login("trader@fullon", "secret")
        assert (await sessions.login("trader@fullon", "secret", current_code())).uid == uid

    async def test_who_does_not_know_the_password_does_not_learn_of_it(
        self, sessions: Sessions, add_account: AddAccount
    ) -> None:
        await add_account(f2a=SEED)
        with pytest.raises(Unauthenticated, match=r"^Invalid credentials$"):
            await sessions.login("trader@fullon", "wrong")

    async def test_a_wrong_one_is_refused(self, sessions: Sessions, add_account: AddAccount) -> None:
        await add_account(f2a=SEED)
        with pytest.raises(Unauthenticated, match=r"^Invalid credentials$"):
            await sessions.login("trader@fullon", "secret", current_code(steps=20))

    async def test_one_code_opens_one_session(self, sessions: Sessions, add_account: AddAccount) -> None:
        await add_account(f2a=SEED)
        code = current_code()
        attempts = (sessions.login("trader@fullon", "secret", code) for _ in range(4))
        answers = await asyncio.gather(*attempts, return_exceptions=True)
        assert len([answer for answer in answers if isinstance(answer, SignedIn)]) == 1
        assert len([answer for answer in answers if isinstance(answer, Unauthenticated)]) == 3

    async def test_the_next_code_opens_another(self, sessions: Sessions, add_account: AddAccount) -> None:
        await add_account(f2a=SEED)
        await sessions.login("trader@fullon", "secret", current_code())
        await sessions.login("trader@fullon", "secret", current_code(steps=1))

    async def test_one_account_using_a_code_does_not_use_up_anothers(
        self, sessions: Sessions, add_account: AddAccount
    ) -> None:
        await add_account(f2a=SEED)
        await add_account("other@fullon", f2a=SEED)
        code = current_code()
        await sessions.login("trader@fullon", "secret", code)
        await sessions.login("other@fullon", "secret", code)

    async def test_guessing_codes_is_throttled_and_asking_for_one_is_not(
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

    async def test_an_unreadable_seed_locks_rather_than_unlocks(
        self, sessions: Sessions, add_account: AddAccount
    ) -> None:
        await add_account(f2a="garbage")
        for code in (None, "000000"):
            with pytest.raises(Unauthenticated):
                await sessions.login("trader@fullon", "secret", code)


class TestThrottling:
    async def test_after_five_failures_not_even_the_right_password_is_looked_at(
        self, sessions: Sessions, add_account: AddAccount
    ) -> None:
        await add_account()
        for _ in range(5):
            with pytest.raises(Unauthenticated):
                await sessions.login("trader@fullon", "wrong")
        with pytest.raises(RateLimited) as refused:
            await sessions.login("trader@fullon", "secret")
        assert 0 < refused.value.retry_after <= 61

    async def test_other_accounts_are_not_affected(self, sessions: Sessions, add_account: AddAccount) -> None:
        await add_account()
        await add_account("other@fullon")
        for _ in range(5):
            with pytest.raises(Unauthenticated):
                await sessions.login("trader@fullon", "wrong", address="10.0.0.1")
        await sessions.login("other@fullon", "secret", address="10.0.0.1")

    async def test_a_success_clears_the_count(self, sessions: Sessions, add_account: AddAccount) -> None:
        await add_account()
        for _ in range(3):
            for _ in range(4):
                with pytest.raises(Unauthenticated):
                    await sessions.login("trader@fullon", "wrong")
            await sessions.login("trader@fullon", "secret")

    async def test_guesses_at_the_same_time_gain_nothing(
        self, sessions: Sessions, add_account: AddAccount, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The right one is looked at before the others have failed, and done only after."""
        await add_account()
        looking, failed = asyncio.Event(), asyncio.Event()

        async def slowly(password: str, stored: str | None) -> bool:
            if password == "secret":
                looking.set()
                await failed.wait()
            return await matches_in_thread(password, stored)

        monkeypatch.setattr("fullon_graphql.services.signing_in.sessions.matches_in_thread", slowly)
        right = asyncio.create_task(sessions.login("trader@fullon", "secret"))
        await looking.wait()
        for _ in range(5):
            with pytest.raises(Unauthenticated):
                await sessions.login("trader@fullon", "wrong")
        failed.set()
        with pytest.raises(RateLimited):
            await right

    async def test_many_right_passwords_at_the_same_time_all_get_in(
        self, sessions: Sessions, add_account: AddAccount
    ) -> None:
        await add_account()
        answers = await asyncio.gather(*(sessions.login("trader@fullon", "secret") for _ in range(20)))
        assert len({answer.refresh_token for answer in answers}) == 20


class TestRefresh:
    async def test_the_token_is_exchanged_for_a_new_pair(self, sessions: Sessions, add_account: AddAccount) -> None:
        uid = await add_account()
        first = await sessions.login("trader@fullon", "secret")
        second = await sessions.refresh(first.refresh_token)
        third = await sessions.refresh(second.refresh_token)
        assert len({first.refresh_token, second.refresh_token, third.refresh_token}) == 3
        principal = await sessions.identify_token(third.access_token)
        assert principal.uid == uid
        assert principal.credential == f"session:{first.refresh_token.split('.')[0]}"

    async def test_only_a_hash_is_stored(self, sessions: Sessions, add_account: AddAccount, database: Database) -> None:
        uid = await add_account()
        signed_in = await sessions.open(uid, "trader@fullon")
        row = await database.row(text("SELECT cast(s AS text) FROM fullon_graphql.sessions s"))
        assert row is not None
        assert signed_in.refresh_token.split(".")[1] not in row[0]
        assert signed_in.refresh_token.split(".")[1].encode().hex() not in row[0]

    async def test_reuse_ends_the_whole_session(self, sessions: Sessions, add_account: AddAccount) -> None:
        await add_account()
        first = await sessions.login("trader@fullon", "secret")
        second = await sessions.refresh(first.refresh_token)
        with pytest.raises(Unauthenticated, match="used before"):
            await sessions.refresh(first.refresh_token)
        with pytest.raises(Unauthenticated, match="has ended"):
            await sessions.refresh(second.refresh_token)
        assert await is_refused(sessions, second)

    async def test_reuse_does_not_touch_other_sessions(self, sessions: Sessions, add_account: AddAccount) -> None:
        await add_account()
        stolen, other = [await sessions.login("trader@fullon", "secret") for _ in range(2)]
        await sessions.refresh(stolen.refresh_token)
        with pytest.raises(Unauthenticated):
            await sessions.refresh(stolen.refresh_token)
        assert not await is_refused(sessions, other)
        await sessions.refresh(other.refresh_token)

    async def test_of_several_at_the_same_time_exactly_one_wins(
        self, sessions: Sessions, add_account: AddAccount
    ) -> None:
        await add_account()
        signed_in = await sessions.login("trader@fullon", "secret")
        attempts = (sessions.refresh(signed_in.refresh_token) for _ in range(8))
        answers = await asyncio.gather(*attempts, return_exceptions=True)
        assert len([answer for answer in answers if isinstance(answer, SignedIn)]) == 1
        assert len([answer for answer in answers if isinstance(answer, Unauthenticated)]) == 7

    async def test_an_inactive_account_is_not_renewed(
        self, sessions: Sessions, add_account: AddAccount, database: Database
    ) -> None:
        await add_account()
        signed_in = await sessions.login("trader@fullon", "secret")
        await change_account(database, active=False)
        with pytest.raises(Unauthenticated):
            await sessions.refresh(signed_in.refresh_token)

    async def test_an_expired_session_is_not_renewed(
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
    async def test_what_is_no_refresh_token_is_refused(self, sessions: Sessions, token: str) -> None:
        with pytest.raises(Unauthenticated, match="malformed"):
            await sessions.refresh(token)

    async def test_a_token_of_no_session_is_refused(self, sessions: Sessions) -> None:
        with pytest.raises(Unauthenticated, match="has ended"):
            await sessions.refresh(f"{uuid4()}.{'a' * 43}")


class TestLogout:
    async def test_both_tokens_are_good_no_more(self, sessions: Sessions, add_account: AddAccount) -> None:
        await add_account()
        signed_in = await sessions.login("trader@fullon", "secret")
        principal = await sessions.identify_token(signed_in.access_token)
        await sessions.logout(principal)
        assert await is_refused(sessions, signed_in)
        with pytest.raises(Unauthenticated):
            await sessions.refresh(signed_in.refresh_token)
        await sessions.logout(principal)

    async def test_other_sessions_live_on(self, sessions: Sessions, add_account: AddAccount) -> None:
        await add_account()
        here, there = [await sessions.login("trader@fullon", "secret") for _ in range(2)]
        await sessions.logout(await sessions.identify_token(here.access_token))
        assert not await is_refused(sessions, there)

    async def test_an_api_key_has_no_session(self, sessions: Sessions) -> None:
        with pytest.raises(BadUserInput, match="API key has no session"):
            await sessions.logout(Principal(1, "trader@fullon", False, "api_key:1", None))


class TestIdentify:
    async def test_a_session_has_every_scope_until_the_token_ends(
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
    async def test_an_administrator_is_one_by_role_or_by_mail(
        self, sessions: Sessions, add_account: AddAccount, mail: str, role: str, is_admin: bool
    ) -> None:
        signed_in = await sessions.open(await add_account(mail, role=role), mail)
        assert (await sessions.identify_token(signed_in.access_token)).is_admin is is_admin

    async def test_the_account_counts_as_it_is_now_not_as_the_token_says(
        self, sessions: Sessions, add_account: AddAccount, database: Database
    ) -> None:
        await add_account(role="ADMIN")
        signed_in = await sessions.login("trader@fullon", "secret")
        await change_account(database, role="USER", mail="renamed@fullon")
        principal = await sessions.identify_token(signed_in.access_token)
        assert (principal.mail, principal.is_admin) == ("renamed@fullon", False)

    async def test_a_deactivated_account_is_refused_at_once(
        self, sessions: Sessions, add_account: AddAccount, database: Database
    ) -> None:
        await add_account()
        signed_in = await sessions.login("trader@fullon", "secret")
        await change_account(database, active=False)
        with pytest.raises(Unauthenticated, match="not active"):
            await sessions.identify_token(signed_in.access_token)

    async def test_an_expired_session_is_refused_though_the_token_is_not_expired(
        self, sessions: Sessions, add_account: AddAccount, database: Database
    ) -> None:
        await add_account()
        signed_in = await sessions.login("trader@fullon", "secret")
        await change_sessions(database, expires_at=datetime.now(UTC) - timedelta(seconds=1))
        assert await is_refused(sessions, signed_in)

    async def test_a_token_of_somebody_elses_session_is_refused(
        self, sessions: Sessions, add_account: AddAccount, settings: Settings
    ) -> None:
        uid = await add_account()
        session_id = read_access_token(settings, (await sessions.open(uid, "a@b")).access_token).session_id
        token, _ = issue_access_token(settings, uid + 1, "a@b", session_id, datetime.now(UTC))
        with pytest.raises(Unauthenticated, match="has ended"):
            await sessions.identify_token(token)

    async def test_it_takes_one_statement(self, sessions: Sessions, add_account: AddAccount, statements: Count) -> None:
        signed_in = await sessions.open(await add_account(), "trader@fullon")
        with statements() as seen:
            await sessions.identify_token(signed_in.access_token)
        assert len(seen) == 1


async def test_no_secret_reaches_a_log_or_an_error(
    sessions: Sessions, add_account: AddAccount, caplog: pytest.LogCaptureFixture
) -> None:
    await add_account(password="pa55w0rd-in-use", f2a=SEED)
    caplog.set_level("DEBUG")
    code = current_code()
    said: list[str] = []
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
            said.append(repr(refused.value))
    assert logs, "refusals are logged"
    everything = f"{logs}{caplog.text}{said}{signed_in!r}{renewed!r}"
    tokens = [signed_in.access_token, renewed.access_token]
    refresh_secrets = [signed_in.refresh_token.split(".")[1], renewed.refresh_token.split(".")[1]]
    for secret in ["pa55w0rd-in-use", "wr0ng-guess", SEED, code, *tokens, *refresh_secrets]:
        assert secret not in everything
