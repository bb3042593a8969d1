"""Writes lines to the host from a thread of its own, so that neither handlers nor the reader wait for the pipe."""
import os
import threading
from typing import Any, Dict, List, Optional

from . import wire
from .settlements import Settlements

#: How many acknowledgements are joined at most.
JOINED = 256
#: How long the first acknowledgement waits for others, in seconds.
JOIN_TIME = 0.01
#: With so many bytes unwritten, handlers wait. The reader never does: the host may wait for it.
HIGH_WATER = 4 << 20


class Outbox:
    """Lines that wait to be written, and the acknowledgements that are joined to lines."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        # The lock itself is faster to enter than its condition.
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._lines: List[bytes] = []
        self._size = 0
        self._closed = self._broken = False
        self.settlements = Settlements()
        self._thread = threading.Thread(target=self._run, name="crowbar-outbox", daemon=True)
        self._thread.start()

    def send(self, message: Dict[str, Any], may_wait: bool = False) -> None:
        """Queues a message. With `may_wait` the caller waits while too much is unwritten."""
        data = wire.line(message)
        with self._changed:
            while may_wait and self._size > HIGH_WATER and not self._broken:
                self._changed.wait()
            self._add(data)

    def opened(self, queue: str, delivery: int) -> None:
        """A delivery has arrived."""
        with self._changed:
            self.settlements.opened(queue, delivery)

    def ack(self, queue: str, delivery: int, state: Optional[str] = None) -> None:
        """Acknowledges a delivery, joined with others."""
        with self._lock:
            self.settlements.acked(queue, delivery, state)
            waiting = self.settlements.waiting
            if waiting >= JOINED:
                self._settle()
            elif waiting == 1 and not self._lines:
                self._changed.notify_all()

    def settle_by(self, queue: str, delivery: int, message: Optional[Dict[str, Any]] = None) -> None:
        """Closes a delivery with a message other than an acknowledgement, or with none."""
        data = wire.line(message) if message else b""
        with self._changed:
            self.settlements.closed(queue, delivery)
            if data:
                self._add(data)

    def flush(self) -> None:
        """Writes the waiting acknowledgements without joining more."""
        with self._changed:
            self._settle()

    def close(self) -> None:
        """Writes all that waits and ends the thread."""
        with self._changed:
            self._settle()
            self._closed = True
            self._changed.notify_all()
        self._thread.join()

    def _add(self, data: bytes) -> None:
        self._lines.append(data)
        self._size += len(data)
        self._changed.notify_all()

    def _settle(self) -> None:
        if self.settlements.waiting:
            for text in self.settlements.take():
                self._add(text.encode("utf-8", "replace"))

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._lines and not self._closed:
                    if self._changed.wait(JOIN_TIME if self.settlements.waiting else None):
                        continue
                    self._settle()
                if not self._lines:
                    return
                data, self._lines = b"".join(self._lines), []
            self._write(data)
            with self._changed:
                self._size -= len(data)
                self._changed.notify_all()

    def _write(self, data: bytes) -> None:
        view = memoryview(data)
        try:
            while view and not self._broken:
                view = view[os.write(self._descriptor, view):]
        except OSError:
            # The host is gone. Reading ends too, and with it the plugin.
            self._broken = True
