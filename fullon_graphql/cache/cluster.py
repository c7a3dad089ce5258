"""Redis Cluster behind the interface of one connection.

A `RoutedConnection` has a connection to each node that it needs. It sends every command to the node that has its slot,
and gives the answers in the order of the commands. So redis-py's client, pipeline and subscriber, the pool, and the
library that counts requests work as with a single server. redis-py's own cluster client has other classes for all of
these, a pool that raises instead of waiting, and no split of commands with several keys in a pipeline.

- Commands with several keys (`MGET`, `MSET`, `DEL`, `UNLINK`, `EXISTS`) are sent once per slot and are not atomic.
  Scripts stay atomic: `keys.in_cluster` puts their keys into one slot.
- A message that a pipeline publishes after writes is sent once these are answered: they may be on other nodes.
- `SCAN`, `DBSIZE` and `INFO` cover all masters.
- A slot that has moved is followed. The map of slots is read again, at most once a second.
- From Redis 7 on, the channels of candles are sharded (`keys.is_sharded`). All others are broadcast.
"""

from __future__ import annotations

import asyncio
import math
import random
from collections import defaultdict, deque
from collections.abc import Callable, Sequence
from itertools import chain, takewhile
from typing import Any, Final, TypeAlias

import hiredis
import structlog
from redis.asyncio.connection import AbstractConnection
from redis.crc import REDIS_CLUSTER_HASH_SLOTS, key_slot
from redis.exceptions import AskError, ClusterDownError, MovedError, RedisError, ResponseError, TryAgainError
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from fullon_graphql.cache import keys

log = structlog.get_logger(__name__)

Address: TypeAlias = tuple[str, int]
Command: TypeAlias = list[bytes]

REFRESH_SECONDS: Final = 1.0
"""Shortest time between two reads of the map of slots."""
MAX_REDIRECTIONS: Final = 5
"""Redirections that one command follows."""
SILENCE: Final = 5.0
"""Seconds without a message before a subscribed node is pinged, and again before it is given up."""
MAX_MESSAGES: Final = 256
"""Messages that are read ahead of the subscriber."""

_BY_KEY: Final = {b"MGET", b"DEL", b"UNLINK", b"EXISTS"}
_ON_ALL: Final = {b"DBSIZE", b"FLUSHALL", b"FLUSHDB", b"INFO", b"SCRIPT"}
_ON_ANY: Final = {b"CLIENT", b"CLUSTER", b"COMMAND", b"CONFIG", b"ECHO", b"PING", b"TIME"}
_SCRIPTS: Final = {b"EVAL", b"EVALSHA", b"EVAL_RO", b"EVALSHA_RO"}
_SUBSCRIBING: Final = {b"SUBSCRIBE", b"UNSUBSCRIBE", b"PSUBSCRIBE", b"PUNSUBSCRIBE"}
_REFUSED: Final = {b"MULTI", b"EXEC", b"DISCARD", b"WATCH", b"UNWATCH", b"SELECT", b"MONITOR"}
_UNREAD: Final = object()


class Slots:
    """The nodes of a cluster and the map of slots, shared by all connections of a pool."""

    def __init__(self, nodes: Sequence[Address], connection: Callable[[Address], AbstractConnection]) -> None:
        self.connection = connection
        """An unconnected connection to the node."""
        self.masters: list[Address] = []
        self.has_sharded_channels = False
        self._configured = list(nodes)
        self._replicas: list[Address] = []
        self._owners: list[Address | None] = [None] * REDIS_CLUSTER_HASH_SLOTS
        self._answered: Address | None = None
        self._is_stale = True
        self._refreshed_at = -math.inf
        self._refreshing = asyncio.Lock()

    async def refresh(self) -> None:
        """Read the map if a node has failed or a slot has moved since the last time.

        Raises:
            RedisConnectionError: no node answers.
        """
        if self._is_due():
            async with self._refreshing:
                if self._is_due():
                    await self._read()

    def owner(self, slot: int) -> Address:
        """The master that has the slot.

        Raises:
            RedisConnectionError: none has it.
        """
        if (owner := self._owners[slot]) is None:
            self.suspect()
            raise RedisConnectionError(f"no node of the cluster has slot {slot}")
        return owner

    def moved(self, slot: int, owner: Address) -> None:
        """Record a redirection. The rest of the map is read soon."""
        self._owners[slot] = owner
        self._is_stale = True

    def suspect(self) -> None:
        """Read the map again soon: a node has failed."""
        self._is_stale = True

    def _is_due(self) -> bool:
        return not self.masters or (self._is_stale and _now() >= self._refreshed_at + REFRESH_SECONDS)

    async def _read(self) -> None:
        self._refreshed_at = _now()
        failure: Exception | None = None
        last = [self._answered] if self._answered else []  # not one that fails, and delays all, every second
        for address in dict.fromkeys([*last, *self.masters, *self._replicas, *self._configured]):
            node = self.connection(address)
            try:
                await node.connect()  # type: ignore[no-untyped-call]  # redis-py has annotated it only in part
                if not self.masters:
                    await node.send_command("COMMAND", "INFO", "SPUBLISH")
                    self.has_sharded_channels = bool((await node.read_response())[0])
                await node.send_command("CLUSTER", "SLOTS")
                self._store(await node.read_response(), address)
            except (RedisError, OSError) as error:
                failure = error
            else:
                self._answered = address
                return
            finally:
                await node.disconnect(nowait=True)
        raise RedisConnectionError(f"no node of the cluster answers: {failure}")

    def _store(self, ranges: list[Any], asked: Address) -> None:
        owners: list[Address | None] = [None] * REDIS_CLUSTER_HASH_SLOTS
        replicas: dict[Address, None] = {}
        for first, last, *nodes in ranges:
            master, *others = [(host or asked[0], int(port)) for host, port, *_ in nodes]
            owners[first : last + 1] = [master] * (last + 1 - first)
            replicas.update(dict.fromkeys(others))
        masters = sorted({owner for owner in owners if owner})
        if not masters:
            raise RedisConnectionError("the cluster has no slots")
        if self.masters and masters != self.masters:
            log.info("redis.masters_changed", masters=[f"{host}:{port}" for host, port in masters])
        self.masters, self._replicas, self._owners, self._is_stale = masters, list(replicas), owners, False


class _Part:
    """A command, or a part of one, on its way to one node."""

    def __init__(self, command: Command, node: Address) -> None:
        self.command = command
        self.node = node
        self.answer: Any = _UNREAD


class _Sent:
    """A command of the caller: the parts it was sent in, and how their answers become one."""

    def __init__(self, parts: list[_Part], merge: Callable[[list[Any]], Any] | None = None) -> None:
        self.parts = parts
        self.merge = merge or _first
        self.is_held = False
        """True until it is sent, which is once the commands before it have been answered."""

    @property
    def is_publication(self) -> bool:
        return bool(self.parts) and self.parts[0].command[0].upper() in (b"PUBLISH", b"SPUBLISH")


class RoutedConnection(AbstractConnection):
    """Sends each command to its node. After the first subscription it reads the messages of all subscribed nodes."""

    def __init__(self, slots: Slots, **options: Any) -> None:
        super().__init__(**options)
        self._slots = slots
        self._nodes: dict[Address, AbstractConnection] = {}
        self._unread: defaultdict[Address, deque[_Part]] = defaultdict(deque)
        self._sent: deque[_Sent] = deque()
        self._is_open = False
        self._messages: asyncio.Queue[list[Any] | Exception] | None = None
        self._readers: dict[Address, asyncio.Task[None]] = {}
        self._home: Address | None = None
        self._names: dict[str, str] = {}
        """Channels with a hash tag, and the names that the subscriber knows."""
        self._leaving: set[str] = set()

    def repr_pieces(self) -> list[tuple[str, object]]:
        return [("nodes", list(self._nodes))]

    def _host_error(self) -> str:
        return "the cluster"

    async def _connect(self) -> None:
        await self.connect()

    @property
    def is_connected(self) -> bool:
        return self._is_open

    async def connect(self) -> None:
        """Read the map of slots if necessary, and close connections to nodes that have broken while idle."""
        if self._messages is not None:
            return
        if self._sent:  # answers that were not read
            await self.disconnect(nowait=True)
        await self._slots.refresh()
        for node in self._nodes.values():
            try:
                is_usable = not node.is_connected or not await node.can_read()
            except (RedisError, OSError):
                is_usable = False
            if not is_usable:
                await node.disconnect(nowait=True)
        self._is_open = True

    async def can_read(self) -> bool:
        return False  # `connect` has checked

    async def disconnect(self, nowait: bool = False, *_: Any, **__: Any) -> None:
        """Close the connections to all nodes. Answers that were not read are dropped."""
        self._is_open = False
        self._sent.clear()
        self._unread.clear()
        self._messages, self._home = None, None
        self._names.clear()
        self._leaving.clear()
        nodes, self._nodes = list(self._nodes.values()), {}
        readers, self._readers = set(self._readers.values()), {}
        for node in nodes:
            await node.disconnect(nowait=True)
        while readers:  # before Python 3.12 a cancellation may be lost while a ping is sent
            for reader in readers:
                reader.cancel()
            readers -= (await asyncio.wait(readers, timeout=1))[0]

    async def send_packed_command(self, command: Any, check_health: bool = True) -> None:
        if not self._is_open:
            await self.connect()
        try:
            await self._slots.refresh()
            commands = _unpacked(command)
            if self._messages is not None or commands[0][0].upper() in _SUBSCRIBING:
                for each in commands:
                    await self._send_subscription(each)
                return
            routed = [self._routed(each) for each in commands]
            self._sent.extend(routed)
            _hold_publications(routed)
            await self._send_sent([sent for sent in routed if not sent.is_held])
        except BaseException as error:
            await self._fail(error)
            raise

    async def read_response(
        self,
        disable_decoding: bool = False,
        timeout: float | None = None,  # noqa: ASYNC109  # redis-py's signature
        **_: Any,
    ) -> Any:
        if self._messages is not None:
            return await self._next_message(self._messages, timeout)
        try:
            sent = self._sent.popleft()
            if sent.is_held:
                await self._send_sent([sent, *takewhile(lambda each: each.is_held, self._sent)])
            answers = [await self._answer(part, disable_decoding) for part in sent.parts]
        except BaseException as error:
            await self._fail(error)
            raise
        if refused := next((answer for answer in answers if isinstance(answer, ResponseError)), None):
            raise refused
        return sent.merge(answers)

    async def _fail(self, error: BaseException) -> None:
        if isinstance(error, RedisConnectionError | RedisTimeoutError):
            self._slots.suspect()
        await self.disconnect(nowait=True)

    # ---------------------------------------------------------------- commands

    def _routed(self, command: Command) -> _Sent:
        name, *arguments = command
        name, slots = name.upper(), self._slots
        if name in _REFUSED:
            raise RedisError(f"{name.decode()} is not supported by a cluster.")
        if name in _BY_KEY:
            return self._split(name, [[key] for key in arguments], _in_order if name == b"MGET" else _summed)
        if name == b"MSET":
            return self._split(name, [list(pair) for pair in zip(arguments[::2], arguments[1::2], strict=True)], _all)
        if name == b"SCAN":
            return self._scan(arguments)
        if name in _ON_ALL:
            return _Sent([_Part(command, master) for master in slots.masters], _MERGED.get(name))
        if name in _ON_ANY or not arguments:
            return _Sent([_Part(command, random.choice(slots.masters))])  # noqa: S311  # spreads load, hides nothing
        position = _key_positions(name, command)
        command = [_in_cluster(part) if at in position else part for at, part in enumerate(command)]
        key = command[position.start] if len(position) else b""
        if name == b"PUBLISH" and self._is_sharded(key):
            command[0] = b"SPUBLISH"
        return _Sent([_Part(command, slots.owner(key_slot(key)))])

    def _split(self, name: bytes, groups: list[Command], merge: Callable[[list[list[int]], list[Any]], Any]) -> _Sent:
        """A command per slot. `groups` begin with a key."""
        by_slot: defaultdict[int, list[int]] = defaultdict(list)
        for at, group in enumerate(groups):
            group[0] = _in_cluster(group[0])
            by_slot[key_slot(group[0])].append(at)
        parts = [
            _Part([name, *(argument for at in found for argument in groups[at])], self._slots.owner(slot))
            for slot, found in by_slot.items()
        ]
        return _Sent(parts, lambda answers: merge(list(by_slot.values()), answers))

    def _scan(self, arguments: Command) -> _Sent:
        """One step over one master. A cursor of ours has the number of the master beside the master's cursor."""
        masters = self._slots.masters
        cursor, at = divmod(int(arguments[0]), len(masters))

        def merge(answers: list[Any]) -> Any:
            [(following, found)] = answers
            following, reached = int(following), at
            if not following:
                reached += 1
            return [0 if reached == len(masters) else following * len(masters) + reached, found]

        return _Sent([_Part([b"SCAN", b"%d" % cursor, *arguments[1:]], masters[at])], merge)

    def _is_sharded(self, channel: bytes) -> bool:
        return self._slots.has_sharded_channels and keys.is_sharded(_text(channel))

    async def _send_sent(self, commands: list[_Sent]) -> None:
        for sent in commands:
            sent.is_held = False
        await self._send_parts([part for sent in commands for part in sent.parts])

    async def _send_parts(self, parts: list[_Part]) -> None:
        by_node: defaultdict[Address, list[_Part]] = defaultdict(list)
        for part in parts:
            by_node[part.node].append(part)
        for address, own in by_node.items():
            node = await self._node(address)
            idle = not self._unread[address]
            self._unread[address].extend(own)
            await node.send_packed_command(_packed([part.command for part in own]), check_health=idle)

    async def _node(self, address: Address) -> AbstractConnection:
        if (node := self._nodes.get(address)) is None:
            node = self._nodes[address] = self._slots.connection(address)
        if not node.is_connected:
            await node.connect()  # type: ignore[no-untyped-call]  # as above
        return node

    async def _answer(self, part: _Part, disable_decoding: bool) -> Any:
        """The answer to a part, after all redirections. A node answers in order, so earlier ones are read first."""
        for _ in range(MAX_REDIRECTIONS):
            while part.answer is _UNREAD:
                first = self._unread[part.node].popleft()
                first.answer = await self._read(first.node, disable_decoding)
            match part.answer:
                case ClusterDownError() | TryAgainError() as refused:
                    raise RedisConnectionError(str(refused))
                case MovedError() as moved:
                    await self._redirect(part, moved, asking=False)
                    self._slots.moved(moved.slot_id, part.node)
                case AskError() as ask:
                    await self._redirect(part, ask, asking=True)
                case answer:
                    return answer
        raise RedisConnectionError(f"{MAX_REDIRECTIONS} redirections for one command")

    async def _redirect(self, part: _Part, to: AskError, *, asking: bool) -> None:
        part.node, part.answer = (to.host or part.node[0], to.port), _UNREAD
        await self._send_parts([_Part([b"ASKING"], part.node), part] if asking else [part])

    async def _read(self, address: Address, disable_decoding: bool) -> Any:
        try:
            return await self._nodes[address].read_response(disable_decoding=disable_decoding)
        except ResponseError as error:
            return error

    # ---------------------------------------------------------------- subscriptions

    async def _send_subscription(self, command: Command) -> None:
        """Sharded channels are subscribed on their nodes, all others on one node: they are broadcast."""
        if self._messages is None or self._home is None:
            self._messages = asyncio.Queue(MAX_MESSAGES)
            self._home = random.choice(self._slots.masters)  # noqa: S311  # spreads load, hides nothing
        messages, home = self._messages, self._home
        name, *topics = command
        name, commands = name.upper(), defaultdict[Address, list[Command]](list)
        if name not in _SUBSCRIBING:
            commands[home].append(command)
            topics = []
        for topic in topics:
            sent = topic if name.startswith(b"P") else _in_cluster(topic)
            if sent != topic:
                self._names[_text(sent)] = _text(topic)
            if not name.startswith(b"P") and self._is_sharded(sent):
                if name == b"UNSUBSCRIBE":
                    self._leaving.add(_text(sent))
                commands[self._slots.owner(key_slot(sent))].append([b"S" + name, sent])
            else:
                commands[home].append([name, sent])
        for address, own in commands.items():
            node = await self._node(address)
            await node.send_packed_command(_packed(own), check_health=False)
            if address not in self._readers:
                reader = self._read_messages(node, messages)
                self._readers[address] = asyncio.create_task(reader, name="messages of a node of Redis")

    async def _read_messages(self, node: AbstractConnection, messages: asyncio.Queue[list[Any] | Exception]) -> None:
        silent = False
        try:
            while True:
                message = await node.read_response(timeout=SILENCE, disconnect_on_error=False)
                if message is not None:
                    silent = False
                    await messages.put(self._translated(message))
                elif silent:
                    raise RedisConnectionError(f"no answer to a ping for {SILENCE} seconds")
                else:
                    silent = True
                    await node.send_command("PING", check_health=False)
        except (RedisError, OSError) as error:
            self._slots.suspect()
            await messages.put(RedisConnectionError(str(error)))

    def _translated(self, message: list[Any]) -> list[Any]:
        kind, name, *rest = message
        if kind == "sunsubscribe":
            if name not in self._leaving:
                raise RedisConnectionError("a sharded channel has moved to another node")
            self._leaving.discard(name)
        if kind in ("smessage", "ssubscribe", "sunsubscribe"):
            kind = kind[1:]
        return [kind, self._names.get(name, name), *rest]

    async def _next_message(self, messages: asyncio.Queue[list[Any] | Exception], seconds: float | None) -> Any:
        try:
            async with asyncio.timeout(None if seconds == math.inf else seconds):
                message = await messages.get()
        except TimeoutError:
            return None
        if isinstance(message, Exception):
            await self.disconnect(nowait=True)
            raise message
        return message


def _hold_publications(commands: list[_Sent]) -> None:
    """Hold messages back that follow writes to other nodes, so that their receivers read the written state."""
    others = False
    for sent in commands:
        sent.is_held = others and sent.is_publication
        others = others or not sent.is_publication


def _key_positions(name: bytes, command: Command) -> range:
    """Where a command has its keys. All of them are in one slot, or Redis refuses the command."""
    if name in _SCRIPTS:
        return range(3, 3 + int(command[2]))
    if name in (b"XREAD", b"XREADGROUP"):
        streams = [part.upper() for part in command].index(b"STREAMS") + 1
        return range(streams, streams + (len(command) - streams) // 2)
    return range(1, 2)


def _first(answers: list[Any]) -> Any:
    return answers[0]


def _all(_: list[list[int]], answers: list[Any]) -> Any:
    return answers[0] if answers else None


def _summed(_: list[list[int]], answers: list[Any]) -> int:
    return sum(answers)


def _in_order(positions: list[list[int]], answers: list[Any]) -> list[Any]:
    found = dict(zip(chain(*positions), chain(*answers), strict=True))
    return [found[at] for at in range(len(found))]


def _merged_info(answers: list[Any]) -> str:
    """Numbers are summed; of everything else, that of the first node is returned."""
    fields: defaultdict[str, list[str]] = defaultdict(list)
    for answer in answers:
        for line in answer.splitlines():
            name, separator, value = line.partition(":")
            if separator:
                fields[name].append(value)
    merged = {
        name: str(sum(map(int, values))) if all(map(str.isdecimal, values)) else values[0]
        for name, values in fields.items()
    }
    return "\r\n".join(f"{name}:{value}" for name, value in merged.items())


_MERGED: Final[dict[bytes, Callable[[list[Any]], Any]]] = {b"DBSIZE": sum, b"INFO": _merged_info}


def _unpacked(command: bytes | str | list[bytes]) -> list[Command]:
    reader = hiredis.Reader()
    for part in command if isinstance(command, list) else [command]:
        reader.feed(part.encode() if isinstance(part, str) else part)
    return list(iter(reader.gets, False))


def _packed(commands: list[Command]) -> bytes:
    return b"".join(hiredis.pack_command(tuple(command)) for command in commands)  # type: ignore[arg-type]  # its stub accepts one argument only


def _in_cluster(key: bytes) -> bytes:
    return keys.in_cluster(_text(key)).encode(errors="surrogateescape")


def _text(name: bytes) -> str:
    return name.decode(errors="surrogateescape")


def _now() -> float:
    return asyncio.get_running_loop().time()
