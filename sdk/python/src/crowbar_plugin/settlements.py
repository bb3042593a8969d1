"""Which deliveries are open, and which acknowledgements wait to be written. Pure values."""
import json
from typing import Any, Dict, List, Optional, Tuple

from . import wire


class Settlements:
    """Joins acknowledgements, so that many deliveries of a queue are settled by one line."""

    def __init__(self) -> None:
        # By queue, in order of arrival, which is the order of their numbers.
        self._open: Dict[str, Dict[int, None]] = {}
        self._acked: Dict[str, List[int]] = {}
        self._states: Dict[str, str] = {}
        #: How many acknowledgements wait.
        self.waiting = 0

    def opened(self, queue: str, delivery: int) -> None:
        """A delivery has arrived."""
        try:
            self._open[queue][delivery] = None
        except KeyError:
            self._open[queue] = {delivery: None}

    def acked(self, queue: str, delivery: int, state: Optional[str] = None) -> None:
        """A delivery's handler has succeeded; `state` is the queue's new state as JSON, if it changed."""
        self.closed(queue, delivery)
        try:
            self._acked[queue].append(delivery)
        except KeyError:
            self._acked[queue] = [delivery]
        if state is not None:
            self._states[queue] = state
        self.waiting += 1

    def closed(self, queue: str, delivery: int) -> None:
        """A delivery needs no acknowledgement: it was retried, rejected or voided."""
        still_open = self._open.get(queue)
        if still_open:
            still_open.pop(delivery, None)

    def dropped(self, queue: str) -> None:
        """The queue is no longer the plugin's: its open deliveries are void."""
        self._open.pop(queue, None)

    def open_count(self) -> int:
        """How many deliveries are open."""
        return sum(map(len, self._open.values()))

    def take(self) -> List[str]:
        """The lines that settle all that waits, one a queue; afterwards nothing waits."""
        lines = []
        for queue, deliveries in self._acked.items():
            if len(deliveries) == 1:
                which = f'"delivery":{deliveries[0]}'
            else:
                last = max(deliveries)
                # 'upTo' settles all below, so nothing below may still be open.
                if next(iter(self._open.get(queue) or ()), last + 1) > last:
                    which = f'"upTo":{last}'
                else:
                    which = f'"deliveries":[{",".join(map(str, deliveries))}]'
            state = self._states.get(queue)
            suffix = "" if state is None else f',"state":{state}'
            lines.append(f'{{"type":"ack",{which}{suffix}}}\n')
        self._acked.clear()
        self._states.clear()
        self.waiting = 0
        return lines


class HeldLanes:
    """The lanes of a pipelined plugin that wait for `voided` after a retry: nothing of theirs is handled until then."""

    def __init__(self) -> None:
        self._lanes: Dict[str, Tuple[int, List[int]]] = {}

    def hold(self, lane: str, delivery: int) -> None:
        """The delivery was retried."""
        self._lanes.setdefault(lane, (delivery, []))

    def skips(self, lane: str, delivery: int) -> bool:
        """Whether the lane waits, so that the delivery, which will be void, is not handled."""
        held = self._lanes.get(lane)
        if held:
            held[1].append(delivery)
        return held is not None

    def lane(self, delivery: int) -> Optional[str]:
        """The lane that waits since this delivery."""
        return next((lane for lane, (held, _) in self._lanes.items() if held == delivery), None)

    def release(self, delivery: int) -> List[int]:
        """`voided` came for the delivery that was retried. Returns those that were skipped."""
        for lane, (held, skipped) in list(self._lanes.items()):
            if held == delivery:
                del self._lanes[lane]
                return skipped
        return []


class States:
    """The states of the queues: what handlers change, and what was last handed to the host."""

    def __init__(self, initial: Any) -> None:
        self._initial = wire.encode(initial)
        self._values: Dict[str, Any] = {}
        self._stored: Dict[str, str] = {}

    def start(self, queue: str, state: Any) -> None:
        """The host says what was stored last; None stands for nothing."""
        self._stored[queue] = self._initial if state is None else wire.encode(state)
        self.roll_back(queue)

    def value(self, queue: str) -> Any:
        """The state, to be read and changed."""
        if queue not in self._values:
            self.start(queue, None)
        return self._values[queue]

    def set(self, queue: str, value: Any) -> None:
        """Replaces a state."""
        self.value(queue)
        self._values[queue] = value

    def commit(self, queue: str) -> Optional[str]:
        """The state as JSON if it has changed. Raises LimitError if it is too large."""
        text = wire.encode_state(queue, self.value(queue))
        if text == self._stored[queue]:
            return None
        self._stored[queue] = text
        return text

    def roll_back(self, queue: str) -> None:
        """Forgets what a handler that failed has changed."""
        self._values[queue] = json.loads(self._stored.get(queue, self._initial))
