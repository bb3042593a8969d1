"""Plays the host's side of the protocol, for tests of plugins."""
import os
import queue
import subprocess
import threading
import time
from typing import Any, Callable, Dict, List, NamedTuple, Optional, Sequence

from . import wire
from .base import PluginBase
from .examples import Example


class Outcome(NamedTuple):
    """What a plugin made of an event: `kind` is `ack`, `retry` or `reject`."""

    kind: str
    commands: List[Dict[str, Any]]
    state: Any = None
    code: Optional[str] = None
    message: str = ""


class Host:
    """A host of one plugin: a plugin object, run by a thread, or a program, run as a process.

        with Host(plugin, config={"word": "heck"}) as host:
            assert host.event(message="hello").kind == "ack"

    Every command is answered as stored, unless `on_command` returns a (code, message) to refuse it with.
    """

    def __init__(
        self, plugin: Any, *, config: Optional[Dict[str, Any]] = None, phase: Optional[str] = None,
        states: Optional[Dict[str, Any]] = None, data_dir: str = ".", purpose: str = "live", timeout: float = 30,
        on_command: Optional[Callable[[Dict[str, Any]], Any]] = None, environment: Optional[Dict[str, str]] = None,
    ) -> None:
        """`plugin` is a Plugin, or the arguments of a program."""
        self._timeout, self._on_command = timeout, on_command
        self._lines: "queue.Queue[Optional[Dict[str, Any]]]" = queue.Queue()
        self._delivery = self._position = 0
        self._settled: Dict[int, Dict[str, Any]] = {}
        self._sent: Dict[int, str] = {}
        self._stored: Dict[str, Any] = dict(states or {})
        #: All lines of the plugin.
        self.lines: List[Dict[str, Any]] = []
        #: Lines that are no messages; the real host logs them.
        self.strays: List[bytes] = []
        #: The commands so far, as the plugin sent them.
        self.commands: List[Dict[str, Any]] = []
        #: The exit status, once it has ended.
        self.status: Optional[int] = None
        self._start(plugin, environment)
        if phase is None:
            phase = "command" if isinstance(plugin, PluginBase) and plugin._checks else "event"
        self._phase, self._purpose = phase, purpose
        self.tell(
            type="hello", protocol=1, plugin=getattr(plugin, "name", "plugin"), phase=phase, purpose=purpose,
            session="test", config=config or {}, limits={"line": wire.MAX_LINE, "commandsInFlight": 1024},
            dataDir=data_dir)

    def _start(self, plugin: Any, environment: Optional[Dict[str, str]]) -> None:
        self._process: Optional["subprocess.Popen[bytes]"] = None
        if isinstance(plugin, PluginBase):
            source, self._input = os.pipe()
            self._output, output = os.pipe()

            def run() -> None:
                try:
                    self.status = plugin.run(source, output, guard=False)
                finally:
                    os.close(output)
                    os.close(source)

            self._runner = threading.Thread(target=run, daemon=True)
            self._runner.start()
        else:
            arguments: Sequence[str] = plugin
            self._process = subprocess.Popen(
                arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment)
            self._input = os.dup(self._process.stdin.fileno())  # type: ignore[union-attr]
            self._output = os.dup(self._process.stdout.fileno())  # type: ignore[union-attr]
            self._process.stdin.close()  # type: ignore[union-attr]
            self._process.stdout.close()  # type: ignore[union-attr]
        threading.Thread(target=self._read, daemon=True).start()

    def __enter__(self) -> "Host":
        if self._purpose == "live":
            self.start()
        return self

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        self.close()

    def _read(self) -> None:
        with os.fdopen(self._output, "rb") as lines:
            for line in lines:
                if line.startswith(b"{"):
                    self._lines.put(wire.decode(line.decode("utf-8")))
                else:
                    self.strays.append(line)
        self._lines.put(None)

    def tell(self, **message: Any) -> None:
        """Writes a line to the plugin."""
        data = wire.line(message)
        while data:
            data = data[os.write(self._input, data):]

    def hear(self, *kinds: str) -> Dict[str, Any]:
        """Waits for a line of one of these types. Commands are answered and settlements noted meanwhile."""
        until = time.monotonic() + self._timeout
        while True:
            try:
                message = self._lines.get(timeout=max(0, until - time.monotonic()))
            except queue.Empty:
                late = f"the plugin wrote no {kinds} within {self._timeout} s; {self._recent()}"
                raise AssertionError(late) from None
            if message is None:
                raise AssertionError(f"the plugin ended; it wrote no {kinds}; {self._recent()}")
            self.lines.append(message)
            self._note(message)
            if message["type"] in kinds:
                return message

    def _recent(self) -> str:
        return f"its last lines: {self.lines[-3:]}"

    def _note(self, message: Dict[str, Any]) -> None:
        kind = message["type"]
        if kind == "command":
            self.commands.append(message)
            refused = self._on_command(message) if self._on_command else None
            if refused:
                self.tell(type="result", id=message["id"], ok=False,
                          error={"code": refused[0], "message": refused[1]})
            else:
                self._position += 1
                self.tell(type="result", id=message["id"], ok=True, eventId=f"c{len(self.commands)}",
                          position=self._position, duplicate=False)
        elif kind == "ack":
            self._settle(message)
        elif kind in ("retry", "reject"):
            self._settled[message["delivery"]] = message
            self._sent.pop(message["delivery"], None)
        elif kind == "state":
            self._stored[message["queue"]] = message["state"]

    def _settle(self, message: Dict[str, Any]) -> None:
        if "upTo" in message:
            name = self._sent.get(message["upTo"])
            which = [number for number, other in self._sent.items() if other == name and number <= message["upTo"]]
        else:
            which = message.get("deliveries") or [message["delivery"]]
        for number in which:
            name = self._sent.pop(number, None)
            if name is None:
                raise AssertionError(f"delivery {number} was acknowledged twice, or never sent: {message}")
            self._settled[number] = message
            if "state" in message:
                self._stored[name] = message["state"]

    def state(self, name: str = "main") -> Any:
        """The state that was stored last."""
        return self._stored.get(name)

    def start(self) -> Dict[str, Any]:
        """Waits for `ready` and begins. Returns `ready`."""
        ready = self.hear("ready", "fatal")
        if ready["type"] == "fatal":
            raise AssertionError(f"the plugin gave up: {ready}")
        queues = [] if self._phase == "command" else ready.get("queues") or [{"name": "main"}]
        self.tell(type="start", queues=[
            {"name": each["name"], "cursor": None, "state": self._stored.get(each["name"])} for each in queues])
        return ready

    def deliver(self, queue: str = "main", attempt: int = 1, mode: str = "live", **fields: Any) -> int:
        """Sends an event and does not wait. Returns its delivery's number."""
        self._delivery += 1
        self._position += 1
        number = self._delivery
        event = {"eventId": f"e{number}", "timestamp": 1796047206825, "type": "MESSAGE_SENT", "userId": "ann",
                 "channelId": "general", **fields}
        self._sent[number] = queue
        self.tell(type="event", queue=queue, delivery=number, position=self._position, attempt=attempt, mode=mode,
                  event=event)
        return number

    def outcome(self, delivery: int) -> Outcome:
        """Waits until a delivery is settled."""
        while delivery not in self._settled:
            self.hear("ack", "retry", "reject")
        message = self._settled[delivery]
        commands = [each["command"] for each in self.commands if each.get("cause") == delivery]
        return Outcome(message["type"], commands, message.get("state"), message.get("code"), message.get("message", ""))

    def event(self, queue: str = "main", **fields: Any) -> Outcome:
        """Sends an event and waits until it is settled. `fields` are the event's, a message in `general` by default."""
        return self.outcome(self.deliver(queue, **fields))

    def check(self, **command: Any) -> Dict[str, Any]:
        """Asks about a command, `SEND_MESSAGE` by default, and returns the verdict."""
        self._delivery += 1
        self.tell(type="check", id=self._delivery, deadlineMs=150, command={
            "type": "SEND_MESSAGE", "eventId": f"e{self._delivery}", "userId": "ann", "channelId": "general",
            **command})
        return self.hear("verdict")

    def configure(self, config: Dict[str, Any]) -> Dict[str, Any]:
        """Sends a changed configuration and returns `configured`."""
        self.tell(type="config", id=1, config=config)
        return self.hear("configured")

    def ping(self, number: int = 1) -> Dict[str, Any]:
        """Pings and returns `pong`."""
        self.tell(type="ping", n=number)
        return self.hear("pong")

    def drain(self, deadline: float = 10) -> int:
        """Has the plugin finish. Returns its exit status."""
        self.tell(type="drain", deadlineMs=int(deadline * 1000), why="stop")
        self.hear("drained")
        return self.wait()

    def wait(self) -> int:
        """Waits until the plugin has ended. Returns its exit status."""
        if self._process:
            self.status = self._process.wait(self._timeout)
        else:
            self._runner.join(self._timeout)
            if self.status is None:
                raise AssertionError("the plugin did not end, or raised: see standard error")
        return self.status

    def close(self) -> None:
        """Closes the plugin's standard input and waits for its end."""
        if self._input < 0:
            return
        os.close(self._input)
        self._input = -1
        try:
            self.wait()
        finally:
            if self._process and self._process.poll() is None:
                self._process.kill()
                self._process.wait()


def check_example(plugin: PluginBase, entry: tuple) -> None:
    """Runs one example of a decorator; raises AssertionError."""
    kind, types, name, _, example = entry
    states = {name or "main": example.state} if example.state is not None else None
    given = {"type": types, **example.given} if types != "*" else example.given
    with Host(plugin, config=example.config, states=states) as host:
        if kind == "check":
            _judge(example, host.check(**given))
            return
        outcome = host.event(name or "main", **given)
        assert outcome.kind == example.outcome, f"expected {example.outcome}: {outcome}"
        assert example.code is None or outcome.code == example.code, f"expected code {example.code}: {outcome}"
        assert len(outcome.commands) == len(example.commands), f"expected {example.commands}: {outcome.commands}"
        for expected, command in zip(example.commands, outcome.commands):
            named = {key: command.get(key) for key in expected}
            assert named == expected, f"expected {expected}: {command}"
        if example.new_state is not None:
            stored = host.state(name or "main")
            assert stored == example.new_state, f"expected state {example.new_state}: {stored}"


def _judge(example: Example, verdict: Dict[str, Any]) -> None:
    if example.refused is not None:
        assert not verdict["allow"] and verdict["code"] == example.refused, f"expected {example.refused}: {verdict}"
    else:
        assert verdict["allow"] and verdict.get("command") == example.changes, f"expected {example.changes}: {verdict}"


def example_tests(plugin: PluginBase) -> Callable[..., None]:
    """A pytest function that runs each example of the plugin: `test_examples = example_tests(plugin)`."""
    import pytest

    assert plugin.examples, "the plugin has no examples: add examples=[Example(…)] to its decorators"

    @pytest.mark.parametrize("entry", plugin.examples, ids=[f"{each[1]}-{n}" for n, each in enumerate(plugin.examples)])
    def test_example(entry: tuple) -> None:
        check_example(plugin, entry)

    return test_example
