"""What plugins with plain functions and with coroutines have in common."""
import concurrent.futures
import itertools
import os
import sys
import threading
import time
import traceback
from typing import Any, Callable, Dict, Iterable, List, Optional, TypeVar

from . import wire
from .config import Config, ConfigError
from .examples import Example
from .outbox import Outbox
from .settlements import HeldLanes, States
from .values import Event, HostClosed, Refuse, Refused, Reject, Result, Retry

Handler = TypeVar("Handler", bound=Callable[..., Any])
_EVENT = '{"type":"event"'


class PluginBase:
    """Registers handlers and speaks the protocol. Use `Plugin` or `AsyncPlugin`."""

    def __init__(
        self, name: str, version: str = "0", *, state: Any = None, pipelined: bool = False, user: Optional[str] = None
    ) -> None:
        """`state` is the first state of a queue, as `{}`; without it the plugin has none. `user` is who commands act
        as, without it NAME/bot, of the manifest's name."""
        self.name, self.version = name, version
        #: Who commands act as.
        self.user = user or f"{name}/bot"
        self._has_user = user is not None
        self.pipelined = pipelined
        #: What `configure` returned last.
        self.settings: Any = None
        #: The plugin's own folder, once `hello` has come.
        self.data_dir = ""
        #: The first line of the host.
        self.hello: Dict[str, Any] = {}
        self.examples: List[tuple] = []
        self._initial_state = state
        self._handlers: Dict[str, List[tuple]] = {}
        self._found: Dict[tuple, List[Callable[..., Any]]] = {}
        self._checks: Dict[str, Callable[[Dict[str, Any]], Any]] = {}
        self._asks: Dict[str, Callable[..., Any]] = {}
        self._queues: List[Dict[str, Any]] = []
        # Those that no configuration declared; each configuration adds its own.
        self._fixed_queues: List[Dict[str, Any]] = []
        self._configuring = False
        self._configure: Optional[Callable[[Config], Any]] = None
        self._starting: List[Callable[[], Any]] = []
        self._stopping: List[Callable[[], Any]] = []
        self._reset()

    def _reset(self) -> None:
        self._states = States(self._initial_state)
        self._held = HeldLanes()
        self._commands: Dict[str, "concurrent.futures.Future[Result]"] = {}
        self._commands_lock = threading.Lock()
        self._ids = itertools.count(1)
        self._started = self._ended = False
        self._drain_by: Optional[float] = None
        self._outbox: Optional[Outbox] = None

    # Registration

    def on(self, *types: str, queue: Optional[str] = None, examples: Iterable[Example] = ()) -> Callable[
        [Handler], Handler
    ]:
        """Handles events of these types (`"*"`: all), of one queue or of all. The event is acknowledged when all its
        handlers have returned."""
        if not types:
            raise TypeError('name the types of events: @plugin.on("MESSAGE_SENT")')

        def register(handler: Handler) -> Handler:
            self._found.clear()
            for kind in types:
                self._handlers.setdefault(kind, []).append((queue, handler))
            self.examples += [("event", types[0], queue, handler, example) for example in examples]
            return handler

        return register

    def check(self, *types: str, examples: Iterable[Example] = ()) -> Callable[[Handler], Handler]:
        """Decides about commands of these types before they are stored. Return None to allow, a dict of changed fields,
        or raise Refuse."""
        if not types:
            raise TypeError('name the types of commands: @plugin.check("SEND_MESSAGE")')

        def register(handler: Handler) -> Handler:
            self._checks.update((kind, handler) for kind in types)
            self.examples += [("check", types[0], None, handler, example) for example in examples]
            return handler

        return register

    def ask(self, word: str) -> Callable[[Handler], Handler]:
        """Answers a question of the operator. The handler gets the queue's name, or None, and returns any JSON."""

        def register(handler: Handler) -> Handler:
            self._asks[word] = handler
            return handler

        return register

    def configure(self, handler: Handler) -> Handler:
        """Reads the configuration: gets a `Config`, returns what becomes `settings`. It also takes a changed one while
        the plugin runs."""
        self._configure = handler
        return handler

    def starting(self, handler: Handler) -> Handler:
        """Runs once at `start`, before the first event. Connections are opened here, not earlier."""
        self._starting.append(handler)
        return handler

    def stopping(self, handler: Handler) -> Handler:
        """Runs before the plugin ends."""
        self._stopping.append(handler)
        return handler

    def queue(
        self, name: str, *, types: Optional[List[str]] = None, channels: Optional[List[str]] = None,
        window: Optional[int] = None, order: Optional[str] = None, start: Optional[str] = None,
        max_attempts: Optional[int] = None, writes: Optional[List[str]] = None,
    ) -> None:
        """Declares a queue. Call it before `run` or in `configure`; without any there is one, `main`. A queue that an
        earlier configuration declared and the new one does not ends."""
        fields = {
            "name": name, "types": types, "channels": channels, "window": window, "order": order, "start": start,
            "maxAttempts": max_attempts, "writes": writes}
        declared = {key: value for key, value in fields.items() if value is not None}
        self._queues = [queue for queue in self._queues if queue["name"] != name] + [declared]
        if not self._configuring:
            self._fixed_queues = [queue for queue in self._fixed_queues if queue["name"] != name] + [declared]

    def set_queues(self, queues: List[Dict[str, Any]]) -> None:
        """Replaces the queues while the plugin runs; each is as in `ready` (docs/protocol.md)."""
        self._queues = list(queues)
        if self._configuring:
            return
        self._fixed_queues = list(queues)
        self._order_queues()
        if self._started:
            self._send_queues()

    def _send_queues(self) -> None:
        self._send({"type": "queues", "queues": self._queues or [{"name": "main"}]})

    # To the host

    def status(self, level: str, message: str = "", details: Optional[Dict[str, Any]] = None) -> None:
        """Shows the operator `ok`, `degraded` or `down`."""
        if level not in ("ok", "degraded", "down"):
            raise ValueError(f"level must be 'ok', 'degraded' or 'down', not {level!r}")
        self._send({"type": "status", "level": level, "message": wire.cut(message, 1024), "details": details})

    def log(self, level: str, message: str, **fields: Any) -> None:
        """Writes to the host's log."""
        self._send({"type": "log", "level": level, "message": wire.cut(message, 8192), "fields": fields or None})

    def window(self, events: int, queue: str = "main") -> None:
        """How many unsettled events a queue wants; 0 holds it."""
        self._send({"type": "window", "queue": queue, "events": events})

    @property
    def state(self) -> Any:
        """The durable state of the current event's queue, else of `main`. It is stored together with the settlement,
        and rolled back if the handler fails."""
        self._needs_state()
        event = self._current()
        return self._states.value(event.queue if event else "main")

    @state.setter
    def state(self, value: Any) -> None:
        self._needs_state()
        event = self._current()
        self._states.set(event.queue if event else "main", value)

    def _needs_state(self) -> None:
        if self._initial_state is None:
            raise TypeError("give the plugin a first state to have one, as Plugin(name, version, state={})")

    def _current(self) -> Optional[Event]:
        raise NotImplementedError

    def _send(self, message: Dict[str, Any], may_wait: bool = False) -> None:
        if self._outbox is None:
            raise RuntimeError("the plugin does not run: call this in a handler")
        self._outbox.send(message, may_wait)

    def _submit(
        self, kind: str, key: Optional[str], ref: Optional[str], fields: Dict[str, Any], may_wait: bool
    ) -> "concurrent.futures.Future[Result]":
        """Emits a command; the future has its result."""
        if not self._started:
            raise RuntimeError("no command before 'start': emit it in an event handler or in @plugin.starting")
        for name, value in (("key", key), ("ref", ref)):
            if value is not None and len(value.encode("utf-8", "replace")) > 1024:
                raise wire.LimitError(f"the {name} of a command has at most 1024 bytes; use a hash of it")
        event, number = self._current(), str(next(self._ids))
        future: "concurrent.futures.Future[Result]" = concurrent.futures.Future()
        with self._commands_lock:
            if self._ended:
                raise HostClosed("the host is gone")
            self._commands[number] = future
        command = {"type": kind, "userId": self.user, **fields}
        try:
            self._send(
                {"type": "command", "id": number, "command": command, "cause": event.delivery if event else None,
                 "key": key, "ref": ref}, may_wait)
        except Exception:
            self._commands.pop(number, None)
            raise
        return future

    # From the host; the reader's thread

    def _read(self, descriptor: int, deliver: Callable[[Optional[list]], None]) -> None:
        """Reads lines until the end. Pings and results are answered here, whatever handlers do; all else is delivered
        in its order. The queues' windows bound what waits."""
        rest = b""
        try:
            while True:
                chunk = os.read(descriptor, 1 << 18)
                if not chunk:
                    break
                # LF only: str.splitlines would split inside of events.
                end = chunk.rfind(b"\n")
                if end < 0:
                    rest += chunk
                    continue
                whole = (rest + chunk[:end]).decode("utf-8")
                rest = chunk[end + 1:]
                batch = [
                    line for line in whole.split("\n")
                    if line and (line.startswith(_EVENT) or not self._answered(line))]
                if batch:
                    deliver(batch)
        except (OSError, ValueError) as error:
            print(f"crowbar_plugin: cannot read from the host: {error}", file=sys.stderr, flush=True)
        finally:
            with self._commands_lock:
                self._ended = True
                waiting = list(self._commands.values())
                self._commands.clear()
            for future in waiting:
                if future.set_running_or_notify_cancel():
                    future.set_exception(HostClosed("the host closed standard input before the command's result"))
            deliver(None)

    def _answered(self, line: str) -> bool:
        message = wire.decode(line)
        kind = message["type"]
        if kind == "ping":
            self._send({"type": "pong", "n": message["n"]})
        elif kind == "result":
            self._resolve(message)
        elif kind == "error":
            about = "".join(f" {key} {message[key]}" for key in ("delivery", "id") if key in message)
            print(f"crowbar_plugin: the host rejected '{message['message']}'{about}: {message['reason']}",
                  file=sys.stderr, flush=True)
            # Answers and verdicts have ids too, of the host's own numbering.
            if message["message"] == "command" and "id" in message:
                self._resolve({"id": message["id"], "ok": False, "error": {
                    "code": "malformed", "message": message["reason"]}})
        elif kind == "drain":
            # Half of the time is for what has arrived, half for the rest.
            self._drain_by = time.monotonic() + message["deadlineMs"] / 2000
            return False
        else:
            return False
        return True

    def _resolve(self, message: Dict[str, Any]) -> None:
        with self._commands_lock:
            future = self._commands.pop(str(message["id"]), None)
        if future is None or not future.set_running_or_notify_cancel():
            return
        if message["ok"]:
            future.set_result(Result(message["eventId"], message["position"], message.get("duplicate", False)))
        else:
            error = message.get("error", {})
            future.set_exception(Refused(error.get("code", "refused"), error.get("message", "")))

    # Decisions that both kinds of plugins share

    def _mistakes(self, config: Dict[str, Any]) -> List[ConfigError]:
        """Reads a configuration; the settings change only if there is no mistake."""
        if self._configure is None:
            self.settings = config
            self._order_queues()
            return []
        reader, queues = Config(config), self._queues
        self._queues, self._configuring = list(self._fixed_queues), True
        try:
            settings = self._configure(reader)
        except ConfigError as error:
            self._queues = queues
            return reader.problems + [error]
        except Exception as error:
            traceback.print_exception(type(error), error, error.__traceback__)
            sys.stderr.flush()
            self._queues = queues
            return reader.problems + [ConfigError("", wire.cut(f"{type(error).__name__}: {error}", 1024))]
        finally:
            self._configuring = False
        problems = list(reader.close())
        if problems:
            self._queues = queues
        else:
            self.settings = settings
            self._order_queues()
        return problems

    def _order_queues(self) -> None:
        """Gives each queue of a pipelined plugin an order: with one of the manifest's the plugin would not know whether
        'voided' comes."""
        if self.pipelined:
            self._queues = [{"order": "channel", **queue} for queue in self._queues or [{"name": "main"}]]

    def _greet(self, message: Dict[str, Any]) -> Optional[int]:
        """Answers `hello`. Returns an exit status if the plugin ends here."""
        if message.get("type") != "hello":
            kind = message.get("type")
            raise ValueError(f"the first line must be 'hello', not {kind!r}; crowbar starts this program")
        self.hello, self.data_dir = message, message.get("dataDir", "")
        if not self._has_user:
            # The manifest's name decides which users are the plugin's.
            self.user = f"{message.get('plugin', self.name)}/bot"
        phase = message.get("phase", "event")
        if message["protocol"] != wire.PROTOCOL:
            return self._give_up("protocol", f"the library speaks protocol 1, the host {message['protocol']}")
        if (phase == "command") != bool(self._checks):
            wanted = 'has no @plugin.check: remove phase = "command"' if phase == "command" else (
                'has checks: set phase = "command"')
            return self._give_up("phase", f"the program {wanted} in the manifest, or change the program")
        problems = self._mistakes(message.get("config", {}))
        for problem in problems[:100]:
            self._give_up("configuration", problem.message, problem.path)
        if problems:
            return wire.EXIT_CONFIGURATION
        self._send({
            "type": "ready", "protocol": wire.PROTOCOL, "name": wire.cut(self.name, 64),
            "version": wire.cut(self.version, 64), "reload": True if self._configure else None,
            "pipelined": self.pipelined or None, "queues": self._queues or None, "asks": list(self._asks) or None})
        return 0 if message.get("purpose") == "check" else None

    def _no_hello(self) -> int:
        """Says why a program that nobody speaks to ends. Returns its exit status."""
        print("crowbar_plugin: standard input was closed before 'hello'. Crowbar starts this program: 'crowbar check' "
              "tries it. In a test use crowbar_plugin.testing.Host", file=sys.stderr, flush=True)
        return 1

    def _give_up(self, code: str, message: str, path: Optional[str] = None) -> int:
        self._send({"type": "fatal", "code": code, "message": wire.cut(message, 1024), "path": path, "retry": False})
        return wire.EXIT_CONFIGURATION

    def _reconfigure(self, message: Dict[str, Any]) -> None:
        answer = {"type": "configured", "id": message["id"], "ok": True}
        queues = self._queues
        problems = self._mistakes(message["config"])
        if problems:
            answer.update(ok=False, path=problems[0].path, message="; ".join(map(str, problems)))
            if len(problems) == 1:
                answer["message"] = problems[0].message
        self._send(answer)
        if self._queues != queues:
            self._send_queues()

    def _matching(self, event: Event) -> List[Callable[..., Any]]:
        """The handlers of an event, in the order of their registration."""
        key = event.body.get("type", ""), event.queue
        found = self._found.get(key)
        if found is None:
            registered = *self._handlers.get(key[0], ()), *self._handlers.get("*", ())
            found = [handler for queue, handler in registered if queue is None or queue == event.queue]
            self._found[key] = found
        return found

    def _succeeded(self, event: Event) -> None:
        state = None
        if self._initial_state is not None:
            state = self._states.commit(event.queue)
            if state is not None and event.mode == "redrive":
                # The host keeps no state of such an acknowledgement. An earlier state must not come behind this one.
                self._outbox.flush()  # type: ignore[union-attr]
                self._send({"type": "state", "queue": event.queue, "state": self._states.value(event.queue)})
                state = None
        self._outbox.ack(event.queue, event.delivery, state)  # type: ignore[union-attr]

    def _failed(self, event: Event, error: Exception) -> None:
        """Settles an event whose handler raised."""
        if self._initial_state is not None:
            self._states.roll_back(event.queue)
        if isinstance(error, HostClosed):
            # Not settled, so no 'upTo' may cover it.
            self._outbox.opened(event.queue, event.delivery)  # type: ignore[union-attr]
            return
        if isinstance(error, Reject):
            message: Dict[str, Any] = {
                "type": "reject", "delivery": event.delivery, "code": wire.cut(error.code, 64),
                "message": wire.cut(error.message, 1024), "deadLetter": error.dead_letter}
        else:
            retry = error
            if not isinstance(error, Retry):
                traceback.print_exception(type(error), error, error.__traceback__)
                sys.stderr.flush()
                retry = Retry("exception", f"{type(error).__name__}: {error}")
            message = {
                "type": "retry", "delivery": event.delivery, "code": wire.cut(retry.code, 64),
                "message": wire.cut(retry.message, 1024), "counted": retry.counted,
                "afterMs": None if retry.after is None else max(0, int(retry.after * 1000))}
            if self._voids(event):
                self._held.hold(event.lane, event.delivery)
        self._outbox.settle_by(event.queue, event.delivery, message)  # type: ignore[union-attr]

    def _skips(self, event: Event) -> bool:
        """Whether the event will be void, or came too late before the end."""
        if self._voids(event) and self._held.skips(event.lane, event.delivery):
            self._outbox.opened(event.queue, event.delivery)  # type: ignore[union-attr]
            self._skipped[event.delivery] = event.queue
            return True
        return self._drain_by is not None and time.monotonic() > self._drain_by

    def _voids(self, event: Event) -> bool:
        """Whether a retry of this event makes later ones of its lane void. The host does so in order "channel" alone,
        and never for a dead letter that is delivered again."""
        return self.pipelined and event.mode != "redrive" and self._order(event.queue) == "channel"

    def _order(self, queue: str) -> Optional[str]:
        return next((each.get("order") for each in self._queues if each["name"] == queue), None)

    @property
    def _skipped(self) -> Dict[int, str]:
        return self.__dict__.setdefault("_skipped_deliveries", {})

    def _voided(self, message: Dict[str, Any]) -> None:
        for delivery in self._held.release(message["delivery"]):
            self._outbox.settle_by(self._skipped.pop(delivery), delivery)  # type: ignore[union-attr]

    def _begin(self, message: Dict[str, Any]) -> bool:
        """Takes the states in `start`. Returns whether it is the first one."""
        for queue in message["queues"]:
            self._states.start(queue["name"], queue.get("state"))
        first, self._started = not self._started, True
        return first

    def _verdict(self, number: Any, changes: Any) -> None:
        if changes is None or changes is True:
            changes = None
        elif not isinstance(changes, dict):
            raise TypeError(f"a check returns None or a dict of changed fields, or raises Refuse; not {changes!r}")
        self._send({"type": "verdict", "id": number, "allow": True, "command": changes})

    def _no_verdict(self, number: Any, error: Exception) -> None:
        if isinstance(error, Refuse):
            self._send({
                "type": "verdict", "id": number, "allow": False, "code": wire.cut(error.code, 64),
                "message": wire.cut(error.message, 1024)})
        else:
            # No answer: the manifest's on_failure decides.
            traceback.print_exception(type(error), error, error.__traceback__)
            sys.stderr.flush()

    def _open(self, output: int, guard: bool) -> None:
        self._reset()
        self.__dict__.pop("_skipped_deliveries", None)
        if guard:
            # What anybody prints, children too, goes to standard error and not between the protocol's lines.
            output = os.dup(output)
            os.dup2(2, 1)
            sys.stdout = sys.stderr
        self._outbox = Outbox(output)

    def _spawn_reader(self, source: int, deliver: Callable[[Optional[list]], None]) -> None:
        threading.Thread(target=self._read, args=(source, deliver), name="crowbar-reader", daemon=True).start()

    def main(self) -> None:
        """Runs the plugin and ends the process. The last line of a program."""
        status = self.run()
        sys.stderr.flush()
        # Not sys.exit, which would wait for threads of the program's own.
        os._exit(status)

    def run(self, source: int = 0, output: int = 1, guard: bool = True) -> int:
        """Runs until the host ends it. Returns the exit status."""
        raise NotImplementedError
