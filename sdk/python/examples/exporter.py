#!/usr/bin/env python3
"""Writes each message once to messages.jsonl in its own folder, although an event may be delivered again."""
import json
import os

from crowbar_plugin import Event, Plugin

plugin = Plugin("exporter", "1.0", pipelined=True)
exports = []


class Export:
    """The file, and the ids of the events that it has. An id is the same at each delivery."""

    def __init__(self, path: str) -> None:
        self.file = open(path, "a+b", buffering=0)
        self.file.seek(0)
        data = self.file.read()
        # A crash may have left half a line; it is written again.
        self.file.truncate(data.rfind(b"\n") + 1)
        self.seen = {json.loads(line)["eventId"] for line in data.split(b"\n")[:-1]}

    def add(self, event: Event) -> None:
        if event.id in self.seen:
            return
        row = {"eventId": event.id, "channelId": event.get("channelId"), "userId": event.get("userId"),
               "message": event.get("message")}
        self.file.write(json.dumps(row).encode() + b"\n")
        os.fdatasync(self.file.fileno())
        self.seen.add(event.id)


@plugin.starting
def start() -> None:
    # Not earlier: during a reload the old process may still write.
    exports.append(Export(os.path.join(plugin.data_dir, "messages.jsonl")))


@plugin.on("MESSAGE_SENT")
def export(event: Event) -> None:
    exports[0].add(event)


if __name__ == "__main__":
    plugin.main()
