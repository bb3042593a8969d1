#!/usr/bin/env python3
"""Sends messages to several targets. Each target is a queue of its own, so that one that is down holds up no other.

Here a target is a local Unix socket that gets one line of JSON and answers `ok`. In the manifest:

    [[config.targets]]
    name = "first"
    socket = "/run/first.sock"
"""
import asyncio
import json

from crowbar_plugin import AsyncPlugin, Config, Event, Reject, Retry

plugin = AsyncPlugin("multi-sender", "1.0")


@plugin.configure
def configure(config: Config) -> dict:
    targets = {each.text("name"): each.text("socket") for each in config.tables("targets", required=True)}
    for name in targets:
        plugin.queue(name, types=["MESSAGE_SENT"], window=16)
    return targets


@plugin.on("MESSAGE_SENT")
async def send(event: Event) -> None:
    path = plugin.settings[event.queue]
    try:
        reader, writer = await asyncio.open_unix_connection(path)
    except OSError as error:
        # The target is down: not the event's fault, so it uses up no attempt.
        raise Retry("unreachable", f"{path}: {error.strerror}", after=0.5, counted=False) from None
    try:
        writer.write(json.dumps({"id": event.id, "message": event.get("message")}).encode() + b"\n")
        answer = (await reader.readline()).decode().strip()
    finally:
        writer.close()
    if answer != "ok":
        raise Reject("refused", f"{path} answered {answer!r}")


if __name__ == "__main__":
    plugin.main()
