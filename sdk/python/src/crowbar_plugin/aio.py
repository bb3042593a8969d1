"""Plugins whose handlers may be coroutines, run by asyncio."""
import asyncio
import contextvars
import inspect
from collections import deque
from typing import Any, Deque, Dict, Optional, Set

from . import wire
from .base import PluginBase
from .values import Event, Refused, Result, Retry

_event: "contextvars.ContextVar[Optional[Event]]" = contextvars.ContextVar("crowbar_event", default=None)


async def _value(result: Any) -> Any:
    return await result if inspect.isawaitable(result) else result


class AsyncPlugin(PluginBase):
    """A plugin of coroutines. Events of one lane (a queue's channel) are handled in order, lanes at the same time;
    with a state, a queue is one lane."""

    def __init__(self, name: str, version: str = "0", *, concurrency: int = 64, **options: Any) -> None:
        """`concurrency` is how many events are handled at once; the other options are those of `Plugin`."""
        super().__init__(name, version, **options)
        self._concurrency = concurrency

    def _current(self) -> Optional[Event]:
        return _event.get()

    async def command(
        self, kind: str, *, key: Optional[str] = None, ref: Optional[str] = None, **fields: Any
    ) -> Result:
        """Emits a command and waits for its result. Raises Refused. See `Plugin.command`."""
        return await asyncio.wrap_future(self._submit(kind, key, ref, fields, may_wait=False))

    async def join(self, channel: str, name: Optional[str] = None) -> None:
        """Registers `plugin.user` and has it join the channel, where it has not already."""
        event = _event.get()
        steps = (("REGISTER_USER", {"name": name or self.name}, "user_exists"),
                 ("JOIN_CHANNEL", {"channelId": channel}, "already_a_member"))
        for kind, fields, done in steps:
            try:
                await self.command(kind, key=f"{event.id}/{kind}/{channel}" if event else None, **fields)
            except Refused as error:
                if error.code not in (done, "event_id_conflict"):
                    raise

    def run(self, source: int = 0, output: int = 1, guard: bool = True) -> int:
        self._open(output, guard)
        try:
            return asyncio.run(self._main(source))
        finally:
            self._outbox.close()  # type: ignore[union-attr]

    async def _main(self, source: int) -> int:
        inbox: "asyncio.Queue[Optional[list]]" = asyncio.Queue()
        loop = asyncio.get_running_loop()
        self._ending = False
        self._lanes: Dict[str, Deque[Event]] = {}
        self._tasks: Set["asyncio.Task[None]"] = set()
        self._slots = asyncio.Semaphore(self._concurrency)

        def deliver(batch: Optional[list]) -> None:
            try:
                loop.call_soon_threadsafe(inbox.put_nowait, batch)
            except RuntimeError:
                pass  # The loop has ended, and with it the plugin.

        self._spawn_reader(source, deliver)
        greeted = False
        while True:
            batch = await inbox.get()
            if batch is None:
                break
            for line in batch:
                message = wire.decode(line)
                if not greeted:
                    status = self._greet(message)
                    if status is not None:
                        return status
                    greeted = True
                elif await self._message(message):
                    return 0
        if not greeted:
            return self._no_hello()
        self._ending = True
        for task in self._tasks:
            task.cancel()
        for hook in self._stopping:
            await _value(hook())
        return 0

    async def _message(self, message: Dict[str, Any]) -> bool:
        kind = message["type"]
        if kind == "event":
            self._arrived(Event(message, self))
        elif kind == "start":
            if self._begin(message):
                for hook in self._starting:
                    await _value(hook())
        elif kind == "voided":
            self._void(message)
        elif kind == "check":
            self._spawn(self._judge(message))
        elif kind == "config":
            self._reconfigure(message)
        elif kind == "ask":
            self._spawn(self._answer(message))
        elif kind == "drain":
            await self._drain(message["deadlineMs"] / 2000)
            return True
        return False

    def _void(self, message: Dict[str, Any]) -> None:
        lane, last = self._held.lane(message["delivery"]), message["through"]
        for waiting in self._lanes.values():
            for event in [each for each in waiting if each.lane == lane and each.delivery <= last]:
                waiting.remove(event)
                self._outbox.settle_by(event.queue, event.delivery)  # type: ignore[union-attr]
        self._voided(message)

    def _spawn(self, work: Any) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _arrived(self, event: Event) -> None:
        if self._skips(event):
            return
        self._outbox.opened(event.queue, event.delivery)  # type: ignore[union-attr]
        lane = event.queue if self._initial_state is not None else event.lane
        if self._initial_state is None and self._order(event.queue) == "none":
            lane = f"{event.queue}/{event.delivery}"
        waiting = self._lanes.get(lane)
        if waiting is not None:
            waiting.append(event)
        else:
            self._lanes[lane] = deque([event])
            self._spawn(self._work(lane))

    async def _work(self, lane: str) -> None:
        waiting = self._lanes[lane]
        while waiting:
            event = waiting.popleft()
            if self._drain_by is not None and asyncio.get_running_loop().time() > self._drain_by:
                continue
            if self._voids(event) and self._held.skips(event.lane, event.delivery):
                self._skipped[event.delivery] = event.queue
                continue
            _event.set(event)
            async with self._slots:
                try:
                    for handler in self._matching(event):
                        await _value(handler(event))
                    self._succeeded(event)
                except asyncio.CancelledError as error:
                    if self._ending:
                        raise
                    # Something that the handler awaited was cancelled, not the handler.
                    self._failed(event, Retry("cancelled", f"something awaited was cancelled {error}".strip()))
                except Exception as error:
                    self._failed(event, error)
        del self._lanes[lane]

    async def _judge(self, message: Dict[str, Any]) -> None:
        try:
            handler = self._checks.get(message["command"]["type"])
            self._verdict(message["id"], await _value(handler(message["command"])) if handler else None)
        except Exception as error:
            self._no_verdict(message["id"], error)

    async def _answer(self, message: Dict[str, Any]) -> None:
        try:
            answer = await _value(self._asks[message["what"]](message.get("queue")))
            self._send({"type": "answer", "id": message["id"], "ok": True, "answer": answer})
        except Exception as error:
            text = wire.cut(f"{error}" or type(error).__name__, 1024)
            self._send({"type": "answer", "id": message["id"], "ok": False, "message": text})

    async def _drain(self, seconds: float) -> None:
        if self._tasks:
            _, late = await asyncio.wait(set(self._tasks), timeout=seconds)
            self._ending = True
            for task in late:
                task.cancel()
        for hook in self._stopping:
            await _value(hook())
        self._outbox.flush()  # type: ignore[union-attr]
        self._send({"type": "drained"})
