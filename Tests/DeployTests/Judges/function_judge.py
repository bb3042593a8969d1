"""Judges the programs that the modules ship, against real HTTP receivers on the loopback: the post-confirmation function, the
program that fetches the instance's credentials, and the function of CloudFront, in Node."""

import contextlib
import glob
import http.server
import importlib.util
import io
import json
import os
import stat
import subprocess
import sys
import tempfile
import threading
import time

# No compiled copy beside the function.
sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.abspath(HERE + "/../../..")
MODULES = ROOT + "/deploy/terraform"
TRIGGER = {
    "version": "1",
    "region": "eu-central-1",
    "userPoolId": "eu-central-1_AbCdEf123",
    "userName": "7c1e",
    "triggerSource": "PostConfirmation_ConfirmSignUp",
    "callerContext": {"awsSdkVersion": "x", "clientId": "y"},
    "request": {"userAttributes": {"sub": "7c1e", "email": "ann@example.org", "nickname": "Änn"}},
    "response": {},
}
checked = 0


def expect(condition, what):
    global checked
    checked += 1
    if not condition:
        sys.exit(f"not so: {what}")


@contextlib.contextmanager
def receiver(answer):
    """An HTTP server on a free port; `answer(request)` sends the answer. Yields its address and the requests that it got."""
    requests = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_any(self):
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            requests.append((self.command, self.path, dict(self.headers), body))
            answer(self, len(requests))

        do_POST = do_PUT = do_GET = do_any

        def log_message(self, *arguments):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", requests
    finally:
        server.shutdown()
        server.server_close()


def status(*codes):
    def answer(request, number):
        request.send_response(codes[min(number, len(codes)) - 1])
        request.send_header("content-length", "0")
        request.send_header("location", "/elsewhere")
        request.end_headers()

    return answer


def post_confirmation():
    spec = importlib.util.spec_from_file_location("handler", MODULES + "/identity/handler.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)

    def call(url, event=TRIGGER):
        os.environ["HOOK_URL"] = url
        log = io.StringIO()
        began = time.monotonic()
        with contextlib.redirect_stdout(log):
            returned = module.handler(event, None)
        expect(returned == event, "the function returns the event, as Cognito requires")
        expect(
            "secret" not in log.getvalue() and "ann@example.org" not in log.getvalue(),
            f"the log has neither the address nor the event: {log.getvalue()}",
        )
        expect(time.monotonic() - began < 4.9, "the function ends before Cognito's five seconds")
        return log.getvalue()

    with receiver(status(204)) as (url, requests):
        expect(call(url + "/hooks/secret") == "", "a success is quiet")
        method, path, headers, body = requests[0]
        expect(len(requests) == 1 and (method, path) == ("POST", "/hooks/secret"), "one POST to the hook")
        expect(
            headers["Content-Type"] == "application/json" and json.loads(body) == TRIGGER, "the trigger's JSON, whole"
        )
    for codes, count, word in (
        ((503, 204), 2, ""),
        ((503,), 2, "503"),
        ((404,), 1, "404"),
        ((307,), 1, "307"),
        ((429, 200), 2, ""),
        ((400,), 1, "400"),
    ):
        with receiver(status(*codes)) as (url, requests):
            log = call(url + "/hooks/secret")
            expect(
                len(requests) == count and all(r[1] == "/hooks/secret" for r in requests),
                f"{codes}: {count} requests, no redirect followed: {len(requests)}",
            )
            expect(word in log and bool(word) == ("ERROR" in log), f"{codes}: the log says so: {log!r}")

    # A receiver that never answers: the next try gets an answer.
    held = threading.Event()

    def hang(request, number):
        if number == 1:
            held.wait(20)
        status(204)(request, number)

    with receiver(hang) as (url, requests):
        expect(call(url + "/hooks/secret") == "" and len(requests) == 2, "a try that hangs leaves time for another")
        held.set()
    with receiver(status(204)) as (url, requests):
        big = TRIGGER | {"request": {"userAttributes": {"x": "a" * (64 << 10)}}}
        expect("at most" in call(url + "/hooks/secret", big) and not requests, "an event over 64 KiB is not sent")
    for url in (
        "",
        "http://chat.example.org/hooks/secret",
        "ftp://x/hooks/secret",
        "https://[secret",
        "https://x:port/secret",
    ):
        expect("HOOK_URL" in call(url), f"the address {url!r} is refused")
    expect("ConnectionRefusedError" in call("http://127.0.0.1:1/hooks/secret"), "a refused connection is logged")


def credentials():
    program = MODULES + "/host/files/crowbar-credentials"
    given = {
        "Code": "Success",
        "AccessKeyId": "ASIATEST",
        "SecretAccessKey": "s3cret/+",
        "Token": "tok==",
        "Expiration": "2026-12-01T06:00:00Z",
    }

    def metadata(request, number):
        path, headers = request.path, {k.lower(): v for k, v in request.headers.items()}
        if (request.command, path) == ("PUT", "/latest/api/token") and headers.get(
            "x-aws-ec2-metadata-token-ttl-seconds"
        ):
            body = "TOKEN"
        elif headers.get("x-aws-ec2-metadata-token") != "TOKEN":
            return status(401)(request, number)
        elif path == "/latest/meta-data/iam/security-credentials/":
            body = "crowbar"
        elif path == "/latest/meta-data/iam/security-credentials/crowbar":
            body = json.dumps(given)
        else:
            return status(404)(request, number)
        request.send_response(200)
        request.send_header("content-length", str(len(body)))
        request.end_headers()
        request.wfile.write(body.encode())

    def run(url, path):
        # A proxy of the environment must not be used.
        environment = {
            "PATH": os.environ["PATH"],
            "CROWBAR_METADATA_ENDPOINT": url,
            "http_proxy": "http://127.0.0.1:1",
            "HTTP_PROXY": "http://127.0.0.1:1",
        }
        return subprocess.run(
            [sys.executable, program, path], env=environment, capture_output=True, text=True, timeout=60
        )

    with tempfile.TemporaryDirectory() as folder, receiver(metadata) as (url, _):
        path = folder + "/credentials"
        ended = run(url, path)
        expect(ended.returncode == 0, f"credentials are written: {ended.stderr}")
        with open(path) as file:
            first = file.read()
        expect(
            first
            == "[default]\naws_access_key_id = ASIATEST\naws_secret_access_key = s3cret/+\naws_session_token = tok==\n",
            f"the file: {first}",
        )
        expect(stat.S_IMODE(os.stat(path).st_mode) == 0o640, "its mode is 0640")
        given["Token"] = "x\n[other]"
        ended = run(url, path)
        expect(
            ended.returncode == 1 and "Token" in ended.stderr and "other" not in ended.stderr,
            f"a value with a line break is refused: {ended.stderr}",
        )
        given["Token"] = "new"
        expect(run("http://127.0.0.1:1", path).returncode == 1, "without an answer it fails")
        with open(path) as file:
            expect(file.read() == first, "and the old file stays")
        expect(
            run(url, path).returncode == 0 and os.listdir(folder) == ["credentials"],
            "the next one replaces it and leaves nothing else",
        )
        with open(path) as file:
            expect("aws_session_token = new\n" in file.read(), "with the new token")


def views():
    """CloudFront's function in Node, with a recorder in the place of CloudFront's module."""
    node = next(
        iter(sorted(glob.glob(ROOT + "/.build/test-python/lib/python3*/site-packages/playwright/driver/node"))), None
    )
    expect(node is not None, "Node is there (script/bootstrap installs Tests/PageTests/requirements.txt)")
    with open(MODULES + "/site/views.js") as file:
        source = file.read()
    expect(len(source.encode()) < 10240, "CloudFront accepts 10 KiB")
    line = "import cf from 'cloudfront';\n"
    expect(source.count(line) == 1, "the function imports CloudFront's module")
    script = (
        source.replace(line, "let chosen = null; const cf = { selectRequestOriginById(id) { chosen = id; } };\n") + """
        const asked = (headers) => { chosen = null; const request = { uri: '/views/allchannels.json', headers };
            const given = handler({ request }); return [chosen, given === request]; };
        console.log(JSON.stringify([asked({}), asked({ authorization: { value: 'Bearer cb_x' } }), asked({ cookie: { value: 'x' } })]));
        """
    )
    ended = subprocess.run([node, "--input-type=module", "-"], input=script, capture_output=True, text=True, timeout=60)
    expect(ended.returncode == 0, f"the function runs: {ended.stderr}")
    expect(
        json.loads(ended.stdout) == [[None, True], ["host", True], [None, True]],
        f"only a caller with a token is sent to the server: {ended.stdout}",
    )


def main():
    post_confirmation()
    credentials()
    views()
    print(f"judged: {checked}")


main()
