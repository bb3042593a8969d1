"""A plugin that makes each event a dead letter, and takes it when it is redriven. The JSON file that its argument names has
its queues and the texts that it says, in its status, its log and its dead letters: {"queues": [NAME], "texts": [TEXT]}."""

import json
import sys

with open(sys.argv[1], encoding="utf-8") as file:
    options = json.load(file)
queues, texts = options["queues"], options["texts"]
count = 0


def send(**message):
    print(json.dumps(message), flush=True)


def status(text):
    text = text[:1000]
    send(type="status", level="down", message=text, details={name: {"state": "down", "message": text} for name in queues})


for line in sys.stdin:
    message = json.loads(line)
    if message["type"] == "hello":
        send(type="ready", protocol=1, name="refusing", version="<b>1</b>",
             queues=[{"name": name, "types": ["MESSAGE_SENT"], "order": "none"} for name in queues])
    elif message["type"] == "start":
        for number, text in enumerate(texts):
            level = ("debug", "info", "warning", "error")[number % 4]
            send(type="log", level=level, message=text, fields={"<b>": text[:200]})
        print("<script>window.pwned = 40</script>\x1b[31m", file=sys.stderr, flush=True)
    elif message["type"] == "event" and message["mode"] == "redrive":
        send(type="ack", delivery=message["delivery"])
    elif message["type"] == "event":
        text = texts[count % len(texts)]
        count += 1
        status(text)
        send(type="reject", delivery=message["delivery"], code=text[:16], message=text, deadLetter=True)
    elif message["type"] == "ping":
        send(type="pong", n=message["n"])
    elif message["type"] == "drain":
        send(type="drained")
        break
