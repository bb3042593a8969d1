#!/usr/bin/env python3
"""Asked before messages are stored: hides some words, refuses others. Its manifest says phase = "command"."""
import re

from crowbar_plugin import Config, Example, Plugin, Refuse

plugin = Plugin("polite", "1.0")
words = {"hide": ["darn"], "refuse": ["heck"]}


@plugin.configure
def configure(config: Config) -> dict:
    return {key: re.compile("|".join(map(re.escape, config.texts(key))), re.IGNORECASE) for key in ("hide", "refuse")}


@plugin.check("SEND_MESSAGE", "EDIT_MESSAGE", examples=[
    Example({"message": "hello"}, config=words),
    Example({"message": "darn it"}, config=words, changes={"message": "**** it"}),
    Example({"message": "what the heck"}, config=words, refused="rude")])
def check(command: dict):
    text = command.get("message", "")
    if plugin.settings["refuse"].search(text):
        raise Refuse("rude", "mind your words")
    hidden = plugin.settings["hide"].sub(lambda found: "*" * len(found[0]), text)
    return {"message": hidden} if hidden != text else None


if __name__ == "__main__":
    plugin.main()
