"""The access rules as values; `tests/schema/test_visibility.py` tests their effect on answers."""

from __future__ import annotations

import pytest
from sqlalchemy import inspect

from fullon_graphql.auth.principal import Anonymous, Principal, Scope
from fullon_graphql.errors import Forbidden, Unauthenticated
from fullon_graphql.models import AuditEntry, Base, Bot, CatExchangeParam, IdempotencyRecord, Order, Symbol
from fullon_graphql.models.triggers import WATCHED
from fullon_graphql.services.access import (
    RULES,
    Administrators,
    Everybody,
    OwnedBy,
    Through,
    depends_on_caller,
    may_read,
    visible,
    visible_owner,
)
from tests.fixtures.graph import principal

TRADER, ADMINISTRATOR = principal(2), principal(1, admin=True)
WRITE_ONLY = Principal(2, "user2@fullon", False, "api_key:1", None, frozenset({Scope.WRITE}))


def test_every_model_has_a_rule() -> None:
    assert RULES.keys() == {mapper.class_ for mapper in Base.registry.mappers}


def test_parent_of_a_rule_is_the_table_that_its_column_references() -> None:
    for model, rule in RULES.items():
        if isinstance(rule, Through):
            [reference] = rule.column.property.columns[0].foreign_keys
            assert [reference.column] == list(inspect(rule.parent).primary_key), model


def test_owner_in_the_change_feed_equals_the_owner_of_the_rule() -> None:
    """The triggers store `uid`, or the owner of the bot in `bot_id`."""
    for model in WATCHED:
        match RULES[model]:
            case OwnedBy(column):
                assert column.key == "uid", model
            case Through(column, parent):
                assert (column.key, parent) == ("bot_id", Bot), model
            case rule:
                assert isinstance(rule, Administrators), model


def test_only_rules_for_everybody_do_not_depend_on_the_caller() -> None:
    shared = {model for model, rule in RULES.items() if isinstance(rule, Everybody)}
    assert {model for model in RULES if not depends_on_caller(model)} == shared
    assert Symbol in shared


def test_users_read_their_own_rows_and_administrators_all() -> None:
    assert visible_owner(Order, TRADER) == 2
    assert visible_owner(Order, ADMINISTRATOR) is None
    assert visible_owner(Symbol, TRADER) is None


def test_only_administrators_read_the_audit_log() -> None:
    visible(AuditEntry, ADMINISTRATOR)
    with pytest.raises(Forbidden):
        visible(AuditEntry, TRADER)
    with pytest.raises(Unauthenticated):
        visible(AuditEntry, Anonymous())


def test_no_caller_reads_an_internal_table() -> None:
    with pytest.raises(Forbidden):
        visible(IdempotencyRecord, ADMINISTRATOR)


@pytest.mark.parametrize("model", RULES)
def test_every_rule_requires_the_scope_read(model: type[Base]) -> None:
    with pytest.raises(Forbidden):
        visible(model, WRITE_ONLY)


def test_only_administrators_read_the_values_of_exchange_parameters() -> None:
    assert may_read(CatExchangeParam.value, ADMINISTRATOR)
    assert not may_read(CatExchangeParam.value, TRADER)
    assert may_read(CatExchangeParam.name, TRADER)
