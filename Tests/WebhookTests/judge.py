"""Judges requests by code that is not Crowbar's, for tests.

Reads a question as a line of JSON from standard input and answers each by a line of JSON on standard output: {"ok": …} or
{"error": …}. The first line written is {"ready": true}. It ends when standard input is closed.
"""

import base64
import json
import sys

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


judges = {"standardwebhooks": standard_webhooks, "ed25519": ed25519}


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
