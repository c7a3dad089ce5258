"""What every stream has in common: who may listen, fresh loaders per event, and errors that end it with a code."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import TypeVar, cast

from fullon_graphql.auth.principal import signed_in
from fullon_graphql.context import Context

Frame = TypeVar("Frame")
Event = TypeVar("Event")


def events(
    context: Context, frames: AsyncGenerator[Frame, None], wrap: Callable[[Frame], Event | None]
) -> AsyncGenerator[Event, None]:
    """A stream for the caller: each frame wrapped into an event, or left out where `wrap` makes None of it.

    Raises:
        Unauthenticated: nobody is signed in; raised at once, not with the first event.
    """
    signed_in(context.caller)
    return _events(context, frames, wrap)


async def _events(
    context: Context, frames: AsyncGenerator[Frame, None], wrap: Callable[[Frame], Event | None]
) -> AsyncGenerator[Event, None]:
    try:
        async with aclosing(frames):
            async for frame in frames:
                context.forget()
                if (event := wrap(frame)) is not None:
                    yield event
    except Exception as error:  # whatever it is, the client is told, coded and masked like any other
        # graphql-core raises an exception it is given as a value, so it takes the way of all errors.
        yield cast("Event", error)
