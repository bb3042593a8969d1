"""What handlers see and raise: events, results of commands, and the ways not to acknowledge."""
from typing import Any, Dict, NamedTuple, Optional


class Retry(Exception):
    """Raise it in an event handler: the event comes again later.

    `after` is in seconds; without it the host waits 0.5 s, doubling up to 5 minutes. `counted=False` uses up no
    attempt, for a target that is down.
    """

    def __init__(
        self, code: str = "retry", message: str = "", *, after: Optional[float] = None, counted: bool = True
    ) -> None:
        super().__init__(message or code)
        self.code, self.message, self.after, self.counted = code, message, after, counted


class Reject(Exception):
    """Raise it in an event handler: the event will never succeed. It becomes a dead letter, or is dropped."""

    def __init__(self, code: str, message: str = "", *, dead_letter: bool = True) -> None:
        super().__init__(message or code)
        self.code, self.message, self.dead_letter = code, message, dead_letter


class Refuse(Exception):
    """Raise it in a check: the command is refused, and its sender sees the message."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code, self.message = code, message


class Refused(Exception):
    """A command was refused. `code` is one of the API's, or `replay` or `loop`."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{message} ({code})")
        self.code, self.message = code, message


class HostClosed(Exception):
    """The host closed standard input while something waited for its answer. The event is delivered again."""


class Result(NamedTuple):
    """What became of a command."""

    event_id: str
    position: int
    #: Whether the command was stored before, as after a crash.
    duplicate: bool


class Event:
    """An event and its delivery. `event["message"]` and `event.get("message")` read the event's own fields."""

    __slots__ = ("body", "queue", "delivery", "position", "attempt", "uncounted", "mode", "_plugin")

    def __init__(self, message: Dict[str, Any], plugin: Any = None) -> None:
        #: The event as the log has it (docs/domain.md).
        self.body: Dict[str, Any] = message["event"]
        self.queue: str = message["queue"]
        self.delivery: int = message["delivery"]
        self.position: int = message["position"]
        #: How many-th delivery to this queue this is, from 1.
        self.attempt: int = message["attempt"]
        self.uncounted: int = message.get("uncounted", 0)
        #: `live`, `history`, `replay` or `redrive`.
        self.mode: str = message["mode"]
        self._plugin = plugin

    def __getitem__(self, field: str) -> Any:
        return self.body[field]

    def __contains__(self, field: str) -> bool:
        return field in self.body

    def get(self, field: str, default: Any = None) -> Any:
        """A field of the event, or the default."""
        return self.body.get(field, default)

    @property
    def type(self) -> str:
        """The event's type, as MESSAGE_SENT."""
        return self.body["type"]

    @property
    def id(self) -> str:
        """The event's id: the same at each delivery, so build keys of it."""
        return self.body["eventId"]

    @property
    def erased(self) -> bool:
        """Whether the event has lost its text; show nothing for it."""
        return self.body.get("erased", False)

    @property
    def lane(self) -> str:
        """The unit of order: the queue's channel, or its user for an event without one."""
        channel = self.body.get("channelId")
        return f"{self.queue}#{channel}" if channel else f"{self.queue}@{self.body.get('userId', '')}"

    def working(self, seconds: float) -> None:
        """Tells the host that this event needs so much longer (an hour at most)."""
        self._plugin._send({"type": "working", "delivery": self.delivery, "ms": int(seconds * 1000)})

    def __repr__(self) -> str:
        return f"<Event {self.type} {self.id} delivery {self.delivery} attempt {self.attempt}>"
