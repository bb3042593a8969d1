"""Plugins whose handlers are plain functions, called one after the other."""
import queue
from typing import Any, Dict, Optional

from . import wire
from .base import PluginBase
from .values import Event, Refused, Result


class Plugin(PluginBase):
    """A plugin of plain functions. Handlers run one after the other, in the order of arrival."""

    _event: Optional[Event] = None

    def _current(self) -> Optional[Event]:
        return self._event

    def command(
        self, kind: str, *, key: Optional[str] = None, ref: Optional[str] = None, **fields: Any
    ) -> Result:
        """Emits a command and waits for its result. Raises Refused.

        The current event is its cause. A `key` names the command for ever: after a crash the same one is not stored
        twice. `fields` are those of docs/domain.md; `userId` is `plugin.user` unless given.
        """
        future = self._submit(kind, key, ref, fields, may_wait=True)
        # What was done before need not wait for this.
        self._outbox.flush()  # type: ignore[union-attr]
        return future.result()

    def join(self, channel: str, name: Optional[str] = None) -> None:
        """Registers `plugin.user` and has it join the channel, where it has not already."""
        base = self._event.id if self._event else None
        steps = (("REGISTER_USER", {"name": name or self.name}, "user_exists"),
                 ("JOIN_CHANNEL", {"channelId": channel}, "already_a_member"))
        for kind, fields, done in steps:
            try:
                self.command(kind, key=f"{base}/{kind}/{channel}" if base else None, **fields)
            except Refused as error:
                if error.code not in (done, "event_id_conflict"):
                    raise

    def run(self, source: int = 0, output: int = 1, guard: bool = True) -> int:
        self._open(output, guard)
        inbox: "queue.SimpleQueue[Optional[list]]" = queue.SimpleQueue()
        self._spawn_reader(source, inbox.put)
        try:
            return self._loop(inbox)
        finally:
            self._outbox.close()  # type: ignore[union-attr]

    def _loop(self, inbox: "queue.SimpleQueue[Optional[list]]") -> int:
        decode, greeted = wire.decode, False
        while True:
            try:
                batch = inbox.get_nowait()
            except queue.Empty:
                self._outbox.flush()  # type: ignore[union-attr]
                batch = inbox.get()
            if batch is None:
                break
            for line in batch:
                message = decode(line)
                if message["type"] == "event":
                    self._handle(Event(message, self))
                elif not greeted:
                    status = self._greet(message)
                    if status is not None:
                        return status
                    greeted = True
                elif self._other(message):
                    return 0
        if not greeted:
            return self._no_hello()
        for hook in self._stopping:
            hook()
        return 0

    def _handle(self, event: Event) -> None:
        if (self.pipelined or self._drain_by is not None) and self._skips(event):
            return
        self._event = event
        try:
            for handler in self._matching(event):
                handler(event)
            self._succeeded(event)
        except Exception as error:
            self._failed(event, error)
        finally:
            self._event = None

    def _other(self, message: Dict[str, Any]) -> bool:
        """Handles any other message. Returns whether the plugin ends."""
        kind = message["type"]
        if kind == "start":
            if self._begin(message):
                for hook in self._starting:
                    hook()
        elif kind == "check":
            try:
                handler = self._checks.get(message["command"]["type"])
                self._verdict(message["id"], handler(message["command"]) if handler else None)
            except Exception as error:
                self._no_verdict(message["id"], error)
        elif kind == "voided":
            self._voided(message)
        elif kind == "config":
            self._reconfigure(message)
        elif kind == "ask":
            self._answer(message)
        elif kind == "drain":
            for hook in self._stopping:
                hook()
            self._outbox.flush()  # type: ignore[union-attr]
            self._send({"type": "drained"})
            return True
        return False

    def _answer(self, message: Dict[str, Any]) -> None:
        try:
            answer = self._asks[message["what"]](message.get("queue"))
            self._outbox.send(  # type: ignore[union-attr]
                {"type": "answer", "id": message["id"], "ok": True, "answer": answer})
        except Exception as error:
            text = wire.cut(f"{error}" or type(error).__name__, 1024)
            self._send({"type": "answer", "id": message["id"], "ok": False, "message": text})
