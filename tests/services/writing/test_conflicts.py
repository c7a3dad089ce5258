"""Messages of violated constraints, from PostgreSQL's own errors."""

from __future__ import annotations

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from fullon_graphql.database import Database
from fullon_graphql.services.writing.conflicts import explained
from tests.fixtures.rows import OTHER, TRADER

_USER = "INSERT INTO users (uid, mail, external_id, password, f2a, role, name, lastname, phone, id_num) VALUES"
_BOT = "INSERT INTO bots (bot_id, uid, name) VALUES"
VIOLATIONS = {
    f"{_USER} (500, 'user2@fullon', NULL, '', '', '', '', '', '', '')": "There is an account with this mail already.",
    f"{_USER} (500, 'new', 'external', '', '', '', '', '', '', '')": "There is an account with this external id already.",
    f"{_USER} (2, 'new', NULL, '', '', '', '', '', '', '')": "The next uid of users is taken: its sequence is behind. Run `db doctor`.",
    f"{_BOT} (1, 2, 'new')": "The next bot_id of bots is taken: its sequence is behind. Run `db doctor`.",
    f"{_BOT} (900, 999, 'new')": "The row that uid refers to does not exist.",
    "INSERT INTO symbols (symbol, cat_ex_id, base) VALUES ('BTC/USD', 1, 'BTC')": "This exchange has a symbol of this name already.",
    "INSERT INTO simulations (num, bot_id, name) VALUES (900, 1, 'june)=(x')": "A row with this bot_id, name exists already.",
    f"UPDATE users SET manager = 999 WHERE uid = {TRADER}": "The row that manager refers to does not exist.",
    f"DELETE FROM users WHERE uid = {OTHER}": "It cannot be deleted: it manages other accounts.",
    "DELETE FROM bots WHERE bot_id = 1": "It cannot be deleted: it has simulations.",
    "INSERT INTO bots (name) VALUES ('of no account')": "This installation requires a value of bots.uid, which this change does not set.",
    "UPDATE bots SET name = 'forbidden' WHERE bot_id = 2": "The constraint no_forbidden_names of bots refuses these values.",
}  # fmt: skip
"""Statements of the small platform and the message that a client reads."""


@pytest.mark.parametrize("statement", VIOLATIONS)
async def test_message_names_the_violated_constraint(platform: Database, statement: str) -> None:
    async with platform.engine.connect() as connection:
        for preparation in (
            "INSERT INTO simulations (num, bot_id, name) VALUES (800, 1, 'june)=(x')",
            f"UPDATE users SET external_id = 'external' WHERE uid = {TRADER}",
            f"UPDATE users SET manager = {OTHER} WHERE uid = {TRADER}",
            f"DELETE FROM simulations WHERE bot_id IN (SELECT bot_id FROM bots WHERE uid = {OTHER})",
            "ALTER TABLE bots ADD CONSTRAINT no_forbidden_names CHECK (name <> 'forbidden')",
        ):
            await connection.execute(text(preparation))
        with pytest.raises(IntegrityError) as violated:
            await connection.execute(text(statement))
    assert str(explained(violated.value)) == VIOLATIONS[statement]


async def test_message_of_a_foreign_key_does_not_depend_on_the_servers_language(platform: Database) -> None:
    async with platform.engine.connect() as connection:
        with pytest.raises(IntegrityError) as violated:
            await connection.execute(text("DELETE FROM bots WHERE bot_id = 1"))
    assert violated.value.driver_exception is not None
    german = "Auf Schlüssel (bot_id)=(1) wird noch aus Tabelle »simulations« verwiesen."
    violated.value.driver_exception.__dict__["detail"] = german
    assert str(explained(violated.value)) == "It cannot be deleted: it has simulations."
