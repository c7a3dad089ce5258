"""Mutations of users: profile, password, one-time codes, API keys, and administration."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from redis.asyncio import Redis
from sqlalchemy import delete, insert, select, text, update

from fullon_graphql.auth.api_keys import stored_form
from fullon_graphql.auth.principal import Principal, Scope
from fullon_graphql.cache import keys
from fullon_graphql.config import Settings
from fullon_graphql.database import Database
from fullon_graphql.errors import Unauthenticated
from fullon_graphql.models import ApiKey, AuditEntry, Bot, Exchange, ExchangeHistory, Order, Session, Simulation, User
from fullon_graphql.services.api_keys import ApiKeys
from fullon_graphql.services.audit import verify
from fullon_graphql.services.signing_in.sign_in_log import SignIn
from tests.fixtures.graph import GraphClient, principal
from tests.fixtures.rows import ADMIN, OTHER, TRADER, add, person
from tests.fixtures.totp import totp_code

OLD_PASSWORD = "$2b$04$9pu40bK5FcH3buyhT7JOrOoPU9mrmOK7okEPrnvDskJKI5Ljti18u"
MINE, ANOTHER, FOREIGN = (UUID(int=number) for number in (1, 2, 3))


@pytest.fixture
async def trader(graph: GraphClient, platform: Database) -> GraphClient:
    """A caller with a session, and a second session of the same user."""
    end = datetime.now(UTC) + timedelta(days=1)
    async with platform.transaction() as connection:
        await connection.execute(update(User).where(User.uid == TRADER).values(password=OLD_PASSWORD))
    await add(
        platform,
        Session,
        *({"id": id_, "uid": TRADER, "refresh_hash": b"", "expires_at": end} for id_ in (MINE, ANOTHER)),
        {"id": FOREIGN, "uid": OTHER, "refresh_hash": b"", "expires_at": end},
    )
    return graph.as_(Principal(TRADER, "user2@fullon", False, f"session:{MINE}", None))


async def ended(database: Database) -> list[UUID]:
    """Whether each of the sessions has ended."""
    over = select(Session.id).where(Session.id.in_((MINE, ANOTHER, FOREIGN)), Session.revoked_at.is_not(None))
    return [row.id for row in await database.rows(over.order_by(Session.id))]


async def test_change_password_ends_other_sessions(trader: GraphClient, database: Database) -> None:
    change = 'mutation { changePassword(currentPassword: "old password", newPassword: "another one") }'
    assert await trader.data(change) == {"changePassword": True}
    assert await ended(database) == [ANOTHER]
    assert (await trader.worker.sessions.login("user2@fullon", "another one")).uid == TRADER
    entry = await database.row(select(AuditEntry))
    assert entry is not None
    assert not {"password", "f2a"} & (entry.before.keys() | entry.after.keys())
    assert "another one" not in str(entry)


async def test_wrong_current_password_is_counted_and_changes_nothing(trader: GraphClient, database: Database) -> None:
    change = 'mutation { changePassword(currentPassword: "guess", newPassword: "another one") }'
    for _ in range(5):
        refused = await trader.ask(change)
        assert (refused.codes, refused.errors[0]["extensions"]["field"]) == (["BAD_USER_INPUT"], "currentPassword")
    assert (await trader.ask(change.replace("guess", "old password"))).codes == ["RATE_LIMITED"]
    assert await ended(database) == []


async def test_invalid_new_password_is_bad_user_input(trader: GraphClient) -> None:
    refused = await trader.ask('mutation { changePassword(currentPassword: "old password", newPassword: "") }')
    assert refused.codes == ["BAD_USER_INPUT"]


async def test_totp_enrolment_and_removal_require_a_code(trader: GraphClient, database: Database, redis: Redis) -> None:
    enrol = "mutation { enrolTotp { secret uri } }"
    seed = (await trader.data(enrol))["enrolTotp"]["secret"]
    assert len(seed) == 16
    confirm = "mutation ($code: String!) { confirmTotp(code: $code) { uid } }"
    disable = "mutation ($code: String!) { disableTotp(code: $code) { uid } }"
    stored = select(User.f2a).where(User.uid == TRADER)
    assert (await trader.ask(confirm, code="000000x")).codes == ["BAD_USER_INPUT"]
    assert await database.row(stored) == ("---",)

    tried = confirm.replace("code: $code", "code: $code, dryRun: true")
    await trader.data(tried, code=totp_code(seed))
    assert await database.row(stored) == ("---",)
    await trader.data(confirm, code=totp_code(seed))
    assert await database.row(stored) == (seed,)
    assert (await trader.ask(enrol)).codes == ["CONFLICT"]
    assert (await trader.ask(disable, code="000000x")).codes == ["BAD_USER_INPUT"]
    await redis.delete(*await redis.keys("fullon_graphql:totp:*"))  # or the code could not be used twice
    await trader.data(disable, code=totp_code(seed))
    assert await database.row(stored) == ("---",)
    assert (await trader.ask(disable, code=totp_code(seed))).codes == ["CONFLICT"]


async def test_confirm_totp_without_enrolment_is_conflict(trader: GraphClient) -> None:
    assert (await trader.ask('mutation { confirmTotp(code: "123456") { uid } }')).codes == ["CONFLICT"]


async def test_update_profile_changes_the_caller_only(trader: GraphClient, database: Database) -> None:
    answer = await trader.data(
        'mutation { updateProfile(input: {lastname: "T.", phone: "1"}) { uid name lastname phone } }'
    )
    assert answer["updateProfile"] == {"uid": TRADER, "name": "N", "lastname": "T.", "phone": "1"}
    assert await database.row(select(User.lastname).where(User.uid == OTHER)) == ("L",)
    refused = await trader.ask('mutation { updateProfile(input: {idNum: "0123456789abcdef"}) { uid } }')
    assert (refused.codes, refused.errors[0]["extensions"]["field"]) == (["BAD_USER_INPUT"], "idNum")


CREATE_KEY = "mutation ($key: CreateApiKeyInput!) { createApiKey(input: $key) { key apiKey { apiKeyId scopes } } }"


async def test_api_key_is_returned_once_and_stored_as_a_hash(trader: GraphClient, database: Database) -> None:
    made = (await trader.data(CREATE_KEY, key={"name": "report", "scopes": ["write", "READ"]}))["createApiKey"]
    assert made["apiKey"]["scopes"] == ["read", "write"]
    stored = await database.row(select(ApiKey.key).where(ApiKey.api_key_id == made["apiKey"]["apiKeyId"]))
    assert stored == (stored_form(made["key"]),)
    entry = await database.row(select(AuditEntry.after))
    assert entry is not None
    assert "key" not in entry.after


@pytest.mark.parametrize(
    ("key", "refusal"),
    [
        ({"name": " ", "scopes": ["read"]}, "BAD_USER_INPUT"),
        ({"name": "k", "scopes": []}, "BAD_USER_INPUT"),
        ({"name": "k", "scopes": ["root"]}, "BAD_USER_INPUT"),
        ({"name": "k", "scopes": ["admin"]}, "FORBIDDEN"),
        ({"name": "k", "scopes": ["read"], "expiresAt": "2020-01-01T00:00:00Z"}, "BAD_USER_INPUT"),
    ],
)
async def test_api_key_scopes_are_limited_to_the_callers(
    trader: GraphClient, key: dict[str, object], refusal: str
) -> None:
    assert (await trader.ask(CREATE_KEY, key=key)).codes == [refusal]


async def test_api_key_created_by_a_key_is_limited_to_its_scopes_and_expiry(
    graph: GraphClient, platform: Database
) -> None:
    end = datetime.now(UTC) + timedelta(days=1)
    scopes = frozenset({Scope.READ, Scope.WRITE})
    program = graph.as_(Principal(ADMIN, "user1@fullon", True, "api_key:7", end, scopes))
    later = (end + timedelta(days=1)).isoformat()
    assert (await program.ask(CREATE_KEY, key={"name": "k", "scopes": ["read"]})).codes == ["BAD_USER_INPUT"]
    assert (await program.ask(CREATE_KEY, key={"name": "k", "scopes": ["read"], "expiresAt": later})).codes == [
        "BAD_USER_INPUT"
    ]
    good = {"name": "k", "scopes": ["read"], "expiresAt": end.isoformat()}
    assert (await program.ask(CREATE_KEY, key=good | {"scopes": ["admin"]})).codes == ["FORBIDDEN"]
    await program.data(CREATE_KEY, key=good)


async def test_api_key_without_an_end_creates_another_one(
    graph: GraphClient, platform: Database, settings: Settings
) -> None:
    never = (
        update(ApiKey)
        .where(ApiKey.uid == TRADER)
        .values(key="never-ending", scopes="read,write", expires_at=text("'infinity'"))
    )
    async with platform.transaction() as connection:
        await connection.execute(never.where(ApiKey.api_key_id == 1))
    program = graph.as_(await ApiKeys(platform, settings).identify_api_key("never-ending"))
    await program.data(CREATE_KEY, key={"name": "k", "scopes": ["read"]})


async def test_deactivate_foreign_api_key_is_not_found(trader: GraphClient) -> None:
    assert (await trader.ask("mutation { deactivateApiKey(apiKeyId: 31) { apiKeyId } }")).codes == ["NOT_FOUND"]


async def test_deactivate_user_ends_sessions(graph: GraphClient, trader: GraphClient, database: Database) -> None:
    admin = graph.as_(principal(ADMIN, admin=True))
    await admin.data("mutation { deactivateUser(uid: 2) { active } }")
    assert await ended(database) == [MINE, ANOTHER]
    assert (await admin.ask("mutation { deactivateUser(uid: 1) { active } }")).codes == ["BAD_USER_INPUT"]


async def test_delete_user_deletes_own_rows_and_ends_sessions(
    graph: GraphClient, trader: GraphClient, database: Database, redis: Redis
) -> None:
    admin = graph.as_(principal(ADMIN, admin=True))
    for table, of_whom in ((ExchangeHistory, ExchangeHistory.user_id), (Simulation, Simulation.bot_id)):
        refused = await admin.ask("mutation { deleteUser(uid: 2) }")
        assert refused.codes == ["CONFLICT"]
        assert "It cannot be deleted: it has" in refused.errors[0]["message"]
        async with database.transaction() as connection:
            await connection.execute(delete(table).where(of_whom.in_([1, TRADER])))
    await redis.set(keys.cached_user_exchanges(TRADER), "old")
    assert await admin.data("mutation { deleteUser(uid: 2) }") == {"deleteUser": True}
    for owned in (User.uid, Bot.uid, Exchange.uid, ApiKey.uid):
        assert await database.row(select(owned).where(owned == TRADER)) is None
    assert len(await database.rows(select(Order.order_id).where(Order.uid == TRADER))) == 40
    alive = await database.rows(select(Session.id).where(Session.uid == TRADER, Session.revoked_at.is_(None)))
    assert alive == []
    assert not await redis.exists(keys.cached_user_exchanges(TRADER))


async def test_delete_user_refuses_managers_and_the_caller(graph: GraphClient, trader: GraphClient) -> None:
    admin = graph.as_(principal(ADMIN, admin=True))
    itself = await admin.ask("mutation { deleteUser(uid: 1) }")
    assert (itself.codes, itself.errors[0]["extensions"]["field"]) == (["BAD_USER_INPUT"], "uid")
    assert (await admin.ask("mutation { deleteUser(uid: 99) }")).codes == ["NOT_FOUND"]
    assert (await trader.ask("mutation { deleteUser(uid: 3) }")).codes == ["FORBIDDEN"]
    async with trader.worker.database.transaction() as connection:
        await connection.execute(insert(User).values(person(4)))
        await connection.execute(update(User).where(User.uid == OTHER).values(manager=4))
    refused = await admin.ask("mutation { deleteUser(uid: 4) }")
    assert (refused.codes, refused.errors[0]["message"]) == (
        ["CONFLICT"], "It cannot be deleted: it manages other accounts."
    )  # fmt: skip


async def test_delete_user_announces_the_revocation(graph: GraphClient, platform: Database, redis: Redis) -> None:
    await add(platform, User, person(4))
    async with redis.pubsub() as listening:
        await listening.subscribe(keys.credentials(4))
        await listening.get_message(timeout=10)
        await graph.as_(principal(ADMIN, admin=True)).data("mutation { deleteUser(uid: 4) }")
        received = await listening.get_message(timeout=10)
    assert received is not None
    assert received["channel"] == keys.credentials(4)


async def test_anonymize_user_blanks_personal_data_and_keeps_the_books(
    graph: GraphClient, platform: Database, redis: Redis
) -> None:
    admin = graph.as_(principal(ADMIN, admin=True))
    data = {"name": "Ada", "lastname": "Byron", "phone": "5550199", "idNum": "X-77", "note": "likes engines"}
    change = "mutation ($input: UpdateUserInput!) { updateUser(input: $input) { uid } }"
    await admin.data(change, input={"uid": TRADER, **data})
    sessions = graph.worker.sessions
    opened = await sessions.open(TRADER, "user2@fullon", SignIn("password", "10.9.8.7", "Engine/1.0"))
    await add(platform, ApiKey, {"uid": TRADER, "key": "k" * 20, "name": "key", "scopes": "read"})
    orders = await platform.rows(select(Order.order_id).where(Order.uid == TRADER).order_by(Order.order_id))

    anonymize = f"mutation {{ anonymizeUser(uid: {TRADER}) {{ uid mail name phone active }} }}"
    assert await admin.data(anonymize) == {
        "anonymizeUser": {
            "uid": TRADER, "mail": "anonymized-2@fullon.invalid", "name": "", "phone": "", "active": False,
        }
    }  # fmt: skip
    stored = str(await platform.rows(select(User).where(User.uid == TRADER)))
    logged = str(await platform.rows(select(AuditEntry))) + str(await platform.rows(select(Session)))
    for personal in (*data.values(), "user2@fullon", "10.9.8.7", "Engine/1.0"):
        assert personal not in stored
        assert personal not in logged
    with pytest.raises(Unauthenticated):
        await sessions.identify_token(opened.access_token)
    keys_of_user = await platform.rows(select(ApiKey.is_active).where(ApiKey.uid == TRADER))
    assert {key.is_active for key in keys_of_user} == {False}
    assert await platform.rows(select(Order.order_id).where(Order.uid == TRADER).order_by(Order.order_id)) == orders
    verdict = await verify(platform)
    assert (verdict.broken, verdict.redacted) == (None, 2)


async def test_anonymize_user_requires_admin_and_another_account(graph: GraphClient, trader: GraphClient) -> None:
    admin = graph.as_(principal(ADMIN, admin=True))
    assert (await trader.ask("mutation { anonymizeUser(uid: 3) { uid } }")).codes == ["FORBIDDEN"]
    assert (await admin.ask("mutation { anonymizeUser(uid: 1) { uid } }")).codes == ["BAD_USER_INPUT"]
    assert (await admin.ask("mutation { anonymizeUser(uid: 99) { uid } }")).codes == ["NOT_FOUND"]
    assert await admin.data("mutation { anonymizeUser(uid: 3, dryRun: true) { active } }")
    assert await admin.data("{ user(uid: 3) { active } }") == {"user": {"active": True}}
