"""Cognito's PostConfirmation trigger: posts the event to Crowbar's hook of kind `cognito`.

Cognito waits five seconds and shows the user an error if this function fails, although the account is confirmed by then. Crowbar
registers a user at the first sign-in too, so a failure is logged and not raised. The log holds neither the event nor the hook's
address: the one has personal data, the other is a secret.
"""

import http.client
import json
import os
import ssl
import time
from urllib.parse import urlsplit

# Seconds for all tries together. Below the five seconds that Cognito waits, with time to start.
TIME = 3.5
TRIES = 2
# What Crowbar accepts, in bytes.
MAX_BODY = 64 << 10
LOOPBACK = ("127.0.0.1", "::1", "localhost")


def handler(event, context):
    """Posts the event and returns it, as Cognito requires."""
    try:
        register(event, os.environ.get("HOOK_URL", ""))
    except Failure as failure:
        print(f"ERROR the user was not registered and will be at the first sign-in: {failure}")
    return event


class Failure(Exception):
    """Why the event was not posted; holds no secret."""


def register(event, url):
    """Posts the event to the hook at `url`. Returns after a 2xx, and raises Failure otherwise."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        host = None
    if not host or parts.scheme not in ("https", "http"):
        raise Failure("HOOK_URL is not an https address")
    if parts.scheme == "http" and host not in LOOPBACK:
        raise Failure("HOOK_URL must begin with https://")
    body = json.dumps(event).encode()
    if len(body) > MAX_BODY:
        raise Failure(f"the event has {len(body)} bytes; at most {MAX_BODY}")
    end = time.monotonic() + TIME
    reason = ""
    for number in range(TRIES):
        # Half of what is left, so that a receiver that hangs once leaves time for another try.
        left = (end - time.monotonic()) / (TRIES - number)
        if left <= 0:
            break
        status, reason = post(parts, host, port, body, left)
        if status is not None and 200 <= status < 300:
            return
        if status is not None:
            reason = f"the hook answered {status}"
            # Another try changes nothing: the hook is revoked, or the event is refused.
            if status < 500 and status != 429:
                break
    raise Failure(reason or "there was no time left")


def post(parts, host, port, body, limit):
    """One request, which ends after `limit` seconds. Follows no redirect. Returns the status, or None and the reason."""
    if parts.scheme == "https":
        connection = http.client.HTTPSConnection(host, port, timeout=limit, context=ssl.create_default_context())
    else:
        connection = http.client.HTTPConnection(host, port, timeout=limit)
    end = time.monotonic() + limit
    try:
        connection.connect()
        connection.sock.settimeout(max(0.001, end - time.monotonic()))
        connection.request(
            "POST", parts.path, body, {"Content-Type": "application/json", "User-Agent": "crowbar-cognito/1"}
        )
        return connection.getresponse().status, ""
    except (OSError, ValueError, http.client.HTTPException) as error:
        return None, f"the request failed: {type(error).__name__}"
    finally:
        connection.close()
