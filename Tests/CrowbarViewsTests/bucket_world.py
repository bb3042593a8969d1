"""A bucket of its own: moto's S3 behind a door that tells of each request, judges its signature by botocore's signer, and
stops and starts on request.

Writes one JSON object a line: first {"port": …}, then {"request": …} for each request of Crowbar. Reads one a line and answers
each with a line: {"get": KEY}, {"list": true}, {"put": KEY, "body": …, "position": …}, {"delete": KEY}, {"stop": true},
{"start": true}, {"fail": STATUS, "code": …, "message": …, "times": N}: the next N requests are answered so.
"""

import io
import json
import logging
import os
import sys
import threading

KEY, SECRET, REGION, BUCKET = "AKIATEST", "own/secret+", "eu-central-1", "chat-views"
os.environ.update(AWS_ACCESS_KEY_ID=KEY, AWS_SECRET_ACCESS_KEY=SECRET, AWS_DEFAULT_REGION=REGION)

# Python's isolated mode leaves folders of scripts out.
sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "AWSTests"))

import boto3
import moto_door
from botocore.auth import S3SigV4Auth
from botocore.exceptions import ClientError
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from werkzeug.serving import make_server

lock = threading.Lock()
faults = []


def say(message):
    with lock:
        sys.stdout.write(json.dumps(message) + "\n")
        sys.stdout.flush()


class Door:
    def __init__(self, app):
        self.app = app

    def __call__(self, environ, start_response):
        headers = moto_door.headers_of(environ)
        if not headers.get("user-agent", "").startswith("crowbar/"):
            return self.app(environ, start_response)
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        environ["wsgi.input"] = io.BytesIO(body)
        target = environ.get("RAW_URI") or environ.get("REQUEST_URI")
        method = environ["REQUEST_METHOD"]
        is_signed = moto_door.is_signed(S3SigV4Auth, lambda key: SECRET if key == KEY else None, method, target, headers, body)
        told = {"method": method, "target": target, "signed": is_signed}
        told |= {name: headers[name] for name in ["if-match", "if-none-match"] if name in headers}
        fault = faults.pop(0) if faults else None
        if fault:
            say({"request": told | {"status": fault["status"]}})
            start_response(f"{fault['status']} Fault", [("content-type", "application/xml")])
            return [f"<Error><Code>{fault['code']}</Code><Message>{fault['message']}</Message></Error>".encode()]

        def started(status, response_headers, exc_info=None):
            say({"request": told | {"status": int(status.split()[0])}})
            return start_response(status, response_headers, exc_info)

        return self.app(environ, started)


def serve(port):
    server = make_server("127.0.0.1", port, door, True, request_handler=MotoRequestHandler)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    return server


logging.getLogger("werkzeug").setLevel(logging.ERROR)
door = Door(DomainDispatcherApplication(create_backend_app))
# One request a connection, so that a door that is closed lets nobody in by an older one.
MotoRequestHandler.protocol_version = "HTTP/1.0"
server = serve(0)
port = server.server_port
s3 = boto3.client("s3", endpoint_url=f"http://127.0.0.1:{port}", region_name=REGION)
s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
say({"port": port})
for line in sys.stdin:
    order = json.loads(line)
    if "get" in order:
        try:
            found = s3.get_object(Bucket=BUCKET, Key=order["get"])
            say({"object": {"body": found["Body"].read().decode(), "position": found["Metadata"].get("crowbar-position"),
                            "type": found["ContentType"], "cache": found.get("CacheControl")}})
        except ClientError:
            say({"object": None})
    elif "list" in order:
        pages = s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET)
        say({"keys": [item["Key"] for page in pages for item in page.get("Contents", [])]})
    elif "put" in order:
        metadata = {"crowbar-position": order["position"]} if "position" in order else {}
        s3.put_object(Bucket=BUCKET, Key=order["put"], Body=order["body"].encode(), Metadata=metadata)
        say({"done": True})
    elif "delete" in order:
        s3.delete_object(Bucket=BUCKET, Key=order["delete"])
        say({"done": True})
    elif "stop" in order:
        server.shutdown()
        server.server_close()
        say({"done": True})
    elif "start" in order:
        server = serve(port)
        say({"done": True})
    elif "fail" in order:
        fault = {"status": order["fail"], "code": order.get("code", "InternalError"), "message": order.get("message", "no")}
        faults += [fault] * order.get("times", 1)
        say({"done": True})
