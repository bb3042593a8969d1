"""An AWS of its own: moto's server with functions, queues and topics, in front of it a door that tells of each request of the
plugin, judges its signature by botocore's signer, and fails on request.

Writes one JSON object a line: first {"port": …}, then a line for each request of the plugin. Reads one a line:
{"fault": {"times": n, "status": s, "body": "…", "headers": {…}, "service": "sqs"}}: the next n requests are answered so;
{"receive": QUEUE}: all messages of a queue, answered by {"messages": […]}.
"""

import io
import json
import logging
import os
import queue
import sys
import threading
import time
import urllib.request
import zipfile

os.environ.update(AWS_ACCESS_KEY_ID="AKIATEST", AWS_SECRET_ACCESS_KEY="own/secret+", AWS_DEFAULT_REGION="eu-central-1")

# Python's isolated mode leaves the script's folder out.
sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import boto3
import moto_door
from botocore.auth import SigV4Auth
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from moto.sts.models import sts_backends
from werkzeug.serving import make_server

REGION = "eu-central-1"
FAR_ACCOUNT = "210987654321"
output = queue.SimpleQueue()
faults = []


def say(message):
    """Never waits for the test to read."""
    output.put(message)


def write():
    while True:
        sys.stdout.write(json.dumps(output.get()) + "\n")
        sys.stdout.flush()


def secret(key):
    if key == "AKIATEST":
        return "own/secret+"
    for account in list(sts_backends):
        for backend in sts_backends[account].values():
            role = backend.get_assumed_role_from_access_key(key)
            if role:
                return role.secret_access_key
    return None


def is_signed(method, target, headers, body):
    """Whether botocore would have signed the request just so, a moment ago."""
    if not moto_door.is_signed(SigV4Auth, secret, method, target, headers, body):
        return False
    then = time.mktime(time.strptime(headers["x-amz-date"], "%Y%m%dT%H%M%SZ"))
    return abs(time.time() - then + time.timezone) < 60


class Door:
    def __init__(self, app):
        self.app = app

    def __call__(self, environ, start_response):
        headers = moto_door.headers_of(environ)
        if not headers.get("user-agent", "").startswith("crowbar-aws/"):
            return self.app(environ, start_response)
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        environ["wsgi.input"] = io.BytesIO(body)
        target = environ.get("RAW_URI") or environ.get("REQUEST_URI")
        signed = is_signed(environ["REQUEST_METHOD"], target, headers, body)
        service = headers.get("authorization", "").partition("Credential=")[2].split("/")[3:4]
        said = {"method": environ["REQUEST_METHOD"], "target": target, "headers": headers, "signed": signed}
        said["service"] = service[0] if service else ""
        said["body"] = body.decode("utf-8", "replace")
        if target == "/container":
            said["service"] = "container"
            answer = {"AccessKeyId": "AKIATEST", "SecretAccessKey": "own/secret+", "Token": "container-token",
                      "Expiration": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 3600))}
            start_response("200 OK", [("content-type", "application/json")])
            say(said | {"status": 200})
            return [json.dumps(answer).encode()]
        fault = next((f for f in faults if f.get("service") in (None, said["service"])), None)
        if fault:
            fault["times"] -= 1
            if fault["times"] <= 0:
                faults.remove(fault)
            if fault.get("wait"):
                time.sleep(fault["wait"])
            start_response(f"{fault['status']} Fault", list(fault.get("headers", {}).items()))
            say(said | {"status": fault["status"]})
            return [fault.get("body", "").encode()]

        def started(status, response_headers, exc_info=None):
            say(said | {"status": int(status.split()[0])})
            return start_response(status, response_headers, exc_info)

        return self.app(environ, started)


def furnish(url):
    def client(service, **more):
        return boto3.client(service, endpoint_url=url, region_name=REGION, **more)

    config = json.dumps({"lambda": {"use_docker": False}}).encode()
    urllib.request.urlopen(urllib.request.Request(f"{url}/moto-api/config", data=config, method="POST")).read()
    iam, sqs, sns = client("iam"), client("sqs"), client("sns")
    role = iam.create_role(RoleName="f", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("f.py", "")
    client("lambda").create_function(
        FunctionName="audit", Runtime="python3.12", Role=role, Handler="f.f", Code={"ZipFile": archive.getvalue()})
    fifo = {"FifoQueue": "true"}
    queues = {name: sqs.create_queue(QueueName=name, Attributes=fifo if name.endswith(".fifo") else {})["QueueUrl"]
              for name in ["plain", "ordered.fifo", "heard", "heard.fifo"]}
    for topic, target in [("news", "heard"), ("news.fifo", "heard.fifo")]:
        arn = sns.create_topic(Name=topic, Attributes={"FifoTopic": "true"} if topic.endswith(".fifo") else {})["TopicArn"]
        sns.subscribe(TopicArn=arn, Protocol="sqs", Endpoint=f"arn:aws:sqs:{REGION}:123456789012:{target}",
                      Attributes={"RawMessageDelivery": "true"})
    # What is in another account is reached by its role only.
    far = client("sts").assume_role(RoleArn=f"arn:aws:iam::{FAR_ACCOUNT}:role/crowbar", RoleSessionName="test")["Credentials"]
    there = client("sqs", aws_access_key_id=far["AccessKeyId"], aws_secret_access_key=far["SecretAccessKey"],
                   aws_session_token=far["SessionToken"])
    queues["far"] = there.create_queue(QueueName="far")["QueueUrl"]
    clients = {name: there if name == "far" else sqs for name in queues}
    return queues, clients


def receive(client, url):
    messages = []
    while True:
        batch = client.receive_message(
            QueueUrl=url, MaxNumberOfMessages=10, AttributeNames=["All"], WaitTimeSeconds=0).get("Messages", [])
        if not batch:
            return messages
        for message in batch:
            client.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
            attributes = message.get("Attributes", {})
            messages.append({"body": message["Body"], "group": attributes.get("MessageGroupId"),
                             "deduplication": attributes.get("MessageDeduplicationId")})


threading.Thread(target=write, daemon=True).start()
logging.getLogger("werkzeug").setLevel(logging.ERROR)
door = Door(DomainDispatcherApplication(create_backend_app))
MotoRequestHandler.protocol_version = "HTTP/1.1"
server = make_server("127.0.0.1", 0, door, True, request_handler=MotoRequestHandler)
threading.Thread(target=server.serve_forever, daemon=True).start()
queues, clients = furnish(f"http://127.0.0.1:{server.server_port}")
say({"port": server.server_port})
for line in sys.stdin:
    order = json.loads(line)
    if "fault" in order:
        faults.append(order["fault"])
        say({"noted": True})
    elif "receive" in order:
        say({"messages": receive(clients[order["receive"]], queues[order["receive"]])})
