#!/usr/bin/env python3
"""Counts karma: `bob++` and `bob--` change it, `!karma bob` tells it. The counts are durable state."""
import re

from crowbar_plugin import Event, Example, Plugin

plugin = Plugin("karma", "1.0", state={})


@plugin.on("MESSAGE_SENT", examples=[
    Example({"message": "bob++ and bob++, eve--"}, state={}, new_state={"bob": 2, "eve": -1}),
    Example({"message": "!karma bob"}, state={"bob": 2}, commands=[
        {"type": "REGISTER_USER"}, {"type": "JOIN_CHANNEL"},
        {"type": "SEND_MESSAGE", "channelId": "general", "message": "bob has 2"}]),
    Example({"message": "hello"})])
def count(event: Event) -> None:
    text = event.get("message", "")
    for name, sign in re.findall(r"\b([a-z0-9]+)(\+\+|--)", text):
        plugin.state[name] = plugin.state.get(name, 0) + (1 if sign == "++" else -1)
    asked = re.fullmatch(r"!karma ([a-z0-9]+)", text)
    if asked:
        plugin.join(event["channelId"], name="Karma")
        answer = f"{asked[1]} has {plugin.state.get(asked[1], 0)}"
        plugin.command("SEND_MESSAGE", key=f"{event.id}/answer", channelId=event["channelId"], message=answer)


if __name__ == "__main__":
    plugin.main()
