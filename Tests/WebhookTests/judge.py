"""Judges requests by code that is not Crowbar's, for tests.

Reads a question as a line of JSON from standard input and answers each by a line of JSON on standard output: {"ok": …} or
{"error": …}. The first line written is {"ready": true}. It ends when standard input is closed.
"""

import base64
import json
import sys

from cloudevents.core.bindings.http import HTTPMessage, from_binary_event, from_http_event, from_structured_event
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from standardwebhooks.webhooks import Webhook


def standard_webhooks(question):
    """By the package standardwebhooks: one symmetric secret, the request's headers and body."""
    Webhook(question["secret"]).verify(question["body"], question["headers"])
    return True


def ed25519(question):
    """By the package cryptography, as the Standard Webhooks specification has v1a: any of the signatures is the key's."""
    private = base64.b64decode(question["secret"].removeprefix("whsk_"))[:32]
    public = Ed25519PrivateKey.from_private_bytes(private).public_key()
    headers = question["headers"]
    signed = f'{headers["webhook-id"]}.{headers["webhook-timestamp"]}.{question["body"]}'.encode()
    for one in headers["webhook-signature"].split(" "):
        version, signature = one.split(",")
        if version == "v1a":
            try:
                public.verify(base64.b64decode(signature), signed)
                return True
            except Exception:
                continue
    raise ValueError("no signature is this key's")


def cloud_event(question):
    """By the package cloudevents: the attributes and data that it reads, in the mode that it finds by itself."""
    message = HTTPMessage(headers=question["headers"], body=question["body"].encode())
    is_structured = question["headers"]["content-type"].startswith("application/cloudevents+json")
    event = (from_structured_event if is_structured else from_binary_event)(message)
    if from_http_event(message).get_attributes() != event.get_attributes():
        raise ValueError("the two readings differ")
    attributes = {name: str(value) for name, value in event.get_attributes().items()}
    return {"attributes": attributes, "data": event.get_data(), "structured": is_structured}


judges = {"standardwebhooks": standard_webhooks, "ed25519": ed25519, "cloudevents": cloud_event}


def main():
    print(json.dumps({"ready": True}), flush=True)
    for line in sys.stdin:
        question = json.loads(line)
        try:
            answer = {"ok": judges[question["by"]](question)}
        except Exception as error:
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), flush=True)


main()
