"""Traces: the execution, its steps and their durations."""

from __future__ import annotations

from time import perf_counter

from fullon_graphql.engine.trace import Trace


def test_nested_step_is_excluded_from_the_outer_duration() -> None:
    trace = Trace()
    outer = perf_counter() - 3
    inner = perf_counter() - 2
    trace.step("statement", "inside", inner)
    trace.step("write", "around", outer)
    seconds = {step.name: round(step.seconds) for step in trace.steps}
    assert seconds == {"inside": 2, "around": 1}


def test_commands_and_statements_are_reported_by_the_step_that_ends_next() -> None:
    trace = Trace(redis=["HMGET a", "HGETALL b"], sql=["SELECT 1"])
    trace.step("batch", "first", perf_counter(), keys=2)
    trace.step("batch", "second", perf_counter())
    first = {"keys": 2, "redis": ["HMGET a", "HGETALL b"], "statements": ["SELECT 1"]}
    assert [step.facts for step in trace.steps] == [first, {}]


def test_report_names_what_was_remembered() -> None:
    new, again, other_shape = Trace(), Trace(), Trace()
    for stage in ("parse", "validate", "plan", "compile"):
        new.step(stage, "", perf_counter())
    other_shape.step("compile", "bots", perf_counter())
    assert new.report()["remembered"] == {"document": False, "plan": False}
    assert again.report()["remembered"] == {"document": True, "plan": True}
    assert other_shape.report()["remembered"] == {"document": True, "plan": False}


def test_report_names_the_execution_and_the_reason() -> None:
    trace = Trace()
    assert (trace.report()["execution"], trace.report()["reason"]) == ("plan", None)
    trace.fall_back("operation", "a mutation")
    assert (trace.report()["execution"], trace.report()["reason"]) == ("reference", "a mutation")
