"""Checks the API of a running server against its own document: `openapi_check.py SETTINGS.json`.

Validates the document, runs schemathesis with valid and invalid data on every route but the event stream, and checks
that one here, since it never ends. The settings are `url`, `document` (a file to be written), `admin`, `users` (tokens),
`names` (of those users), `hook`, `plugin` and `examples` (requests for each route).
"""
import json
import os
import subprocess
import sys
import tempfile

import jsonschema
import openapi_spec_validator
import requests
from hypothesis import HealthCheck, Phase, given, settings as hypothesis_settings

STREAM = "/api/events/stream"
# schemathesis leaves out the document that it has loaded.
DOCUMENT = "/api/openapi.json"
SEED = 20261130
CHECKS = [
    "not_a_server_error", "status_code_conformance", "content_type_conformance", "response_headers_conformance",
    "response_schema_conformance", "negative_data_rejection", "positive_data_acceptance", "missing_required_header",
    "unsupported_method", "allow_header_conformance", "ignored_auth", "parameters_rejection",
    "bodies_rejection", "lines_conformance",
]
CONFIGURATION = """
seed = {seed}
continue-on-failure = true
warnings = false
[generation]
deterministic = true
# Made-up tokens are for ignored_auth: a valid request has a real one.
with-security-parameters = false
database = "none"
max-examples = {examples}
[phases.stateful]
enabled = false
[checks.positive_data_acceptance]
expected-statuses = ["200", "204", "304", "403", "404", "409"]
[checks.negative_data_rejection]
expected-statuses = ["400", "401", "403", "404", "405", "408", "409", "413", "422"]
# Which texts of foreign programs amount to a message, no schema says.
[[operations]]
include-path = "/hooks/{{token}}"
[operations.checks.positive_data_acceptance]
expected-statuses = ["204", "400", "404", "422"]
# Passwords and tokens that fit are no part of the document.
[[operations]]
include-path-regex = "^/api/(login|register|setup|reset|oidc)$"
[operations.checks.positive_data_acceptance]
expected-statuses = ["200", "401", "403", "404", "409", "429"]
[operations.checks.negative_data_rejection]
expected-statuses = ["400", "401", "403", "404", "405", "408", "409", "413", "422", "429"]
# Calls about the own account have a rate of the token, which many requests reach.
[[operations]]
include-path-regex = "^/api/(me|logout|password|tokens)"
[operations.checks.positive_data_acceptance]
expected-statuses = ["200", "204", "304", "403", "404", "409", "429"]
[operations.checks.negative_data_rejection]
expected-statuses = ["400", "401", "403", "404", "405", "408", "409", "413", "422", "429"]
# Not every view has rows of single channels.
[[operations]]
include-path = "/api/admin/views/{{view}}/rebuild"
[operations.checks.positive_data_acceptance]
expected-statuses = ["200", "403", "404", "409", "422"]
# These ask the plugin, which may be starting or ending.
[[operations]]
include-path-regex = "^/api/admin/plugins/{{plugin}}/(test-send|deliveries)$"
[operations.checks.not_a_server_error]
expected-statuses = ["2xx", "4xx", "503"]
# The plugin or queue may be in a state in which this cannot be done.
[[operations]]
include-path-regex = "^/api/admin/(plugins/|cursors/)"
[operations.checks.positive_data_acceptance]
expected-statuses = ["200", "404", "422", "503"]
"""


def call(settings, method, path, token=None, **more):
    headers = {"Authorization": "Bearer " + (token or settings["admin"])}
    return requests.request(method, settings["url"] + path, headers=headers, timeout=20, **more)


def seed(settings):
    """Makes what the requests are about, and notes its ids in the settings."""
    commands = [
        {"type": "CREATE_CHANNEL", "channelId": "general"},
        {"type": "CREATE_CHANNEL", "channelId": "board", "private": True, "channelName": "Board"},
        {"type": "CREATE_CHANNEL", "channelId": "other", "channelDescription": "another one"},
    ]
    for number in range(20):
        commands.append({
            "type": "SEND_MESSAGE", "channelId": ["general", "board"][number % 2], "message": f"hello @root {number}",
            "eventId": f"message-{number}", **({"replyTo": f"message-{number - 2}"} if number > 9 else {})})
    commands += [
        {"type": "ADD_REACTION", "channelId": "general", "messageId": "message-2", "reaction": "👍"},
        {"type": "EDIT_MESSAGE", "channelId": "general", "messageId": "message-4", "message": "edited"},
        {"type": "DELETE_MESSAGE", "channelId": "general", "messageId": "message-6"},
    ]
    for command in commands:
        answer = call(settings, "POST", "/api/commands", json=command)
        assert answer.status_code == 200, answer.text
    for token in settings["users"]:
        for channel in "general", "other":
            answer = call(settings, "POST", "/api/commands", token, json={"type": "JOIN_CHANNEL", "channelId": channel})
            assert answer.status_code == 200, answer.text
    messages = [f"message-{number}" for number in range(20)]
    settings["events"] = messages
    settings["privateChannel"] = "board"
    settings["path"] = {
        "channelId": ["general", "board"], "plugin": [settings["plugin"]], "queue": ["main"],
        "token": [settings["hook"].removeprefix("/hooks/")],
    }
    settings["body"] = {
        "channelId": ["general", "general", "board", "other"], "messageId": messages, "replyTo": messages,
        "invitee": settings["names"], "member": settings["names"], "userId": ["root", "root", "root", *settings["names"][:1]],
        "eventId": messages,
    }


def schemathesis(settings, path):
    environment = dict(
        os.environ, CROWBAR_OPENAPI=path, SCHEMATHESIS_HOOKS="openapi_hooks", PYTHONDONTWRITEBYTECODE="1",
        PYTHONPATH=os.path.dirname(os.path.abspath(__file__)))
    with tempfile.TemporaryDirectory() as folder:
        configuration = os.path.join(folder, "schemathesis.toml")
        with open(configuration, "w", encoding="utf-8") as file:
            file.write(CONFIGURATION.format(seed=SEED, examples=settings["examples"]))
        return subprocess.run([
            os.path.join(os.path.dirname(sys.executable), "schemathesis"), "--config-file", configuration, "run",
            settings["url"] + DOCUMENT, "--checks", ",".join(CHECKS), "--exclude-path", STREAM,
            "--suppress-health-check", "all", "--request-timeout", "70", "--no-color",
        ], env=environment, cwd=folder, check=False).returncode


class Stream:
    """One connection to the event stream."""

    def __init__(self, settings, token=None, **arguments):
        if token is not None:
            arguments["headers"] = {**arguments.get("headers", {}), "Authorization": "Bearer " + token}
        arguments.setdefault("method", "GET")
        arguments.setdefault("url", settings["url"] + STREAM)
        self.response = requests.request(stream=True, timeout=20, **arguments)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.response.close()

    def frames(self):
        frame = {}
        for line in self.response.iter_lines(chunk_size=1, decode_unicode=True):
            if line and not line.startswith(":"):
                name, _, value = line.partition(": ")
                frame[name] = value
            elif not line and frame:
                yield frame
                frame = {}


def check_frames(settings, hooks):
    """Frames are as the document says, from the log and live, and `Last-Event-ID` takes precedence."""
    line = jsonschema.Draft202012Validator(
        hooks.with_base({"$ref": "#/components/schemas/EventLine"}), registry=hooks.REGISTRY)
    headers = {"Last-Event-ID": "message-1"}
    with Stream(settings, settings["admin"], params={"after": "message-5"}, headers=headers) as stream:
        assert stream.response.status_code == 200, stream.response.text
        assert stream.response.headers["content-type"] == "text/event-stream"
        assert stream.response.headers["cache-control"] == "no-store"
        frames = stream.frames()
        first = next(frames)
        assert first["id"] == "message-2", first
        message = {"type": "SEND_MESSAGE", "channelId": "general", "message": "live", "eventId": "live-1"}
        assert call(settings, "POST", "/api/commands", json=message).status_code == 200
        for frame in frames:
            line.validate(json.loads(frame["data"]))
            if frame["id"] == "live-1":
                break
    assert requests.get(settings["url"] + STREAM, timeout=20).status_code == 401


def check_stream(settings, hooks):
    """Valid and invalid calls of the stream. Each is ended once its head has been read."""
    import schemathesis

    document = schemathesis.openapi.from_dict(hooks.DOCUMENT)
    operation = document[STREAM]["GET"]
    error = jsonschema.Draft202012Validator(
        hooks.with_base({"$ref": "#/components/schemas/Error"}), registry=hooks.REGISTRY)
    statuses = {"positive": {200, 403, 404}, "negative": {400, 401, 403, 404, 422}}
    counts = {}
    for mode in schemathesis.GenerationMode.POSITIVE, schemathesis.GenerationMode.NEGATIVE:

        @hypothesis_settings(
            max_examples=settings["examples"], derandomize=True, database=None, deadline=None,
            suppress_health_check=list(HealthCheck), phases=[Phase.generate])
        @given(case=operation.as_strategy(generation_mode=mode))
        def check(case):
            is_positive = case.meta.generation.mode.is_positive
            if is_positive:
                hooks.use_what_exists(case)
            hooks.keep_rules_between_parameters(case)
            arguments = case.as_transport_kwargs(base_url=settings["url"])
            # Sixteen streams of one user are open at most, and one that was just closed may still count.
            with Stream(settings, next(hooks.callers), **arguments) as stream:
                response = stream.response
                what = f"{arguments}: {response.status_code}"
                # A number where a text belongs is a text in an address.
                is_positive = is_positive or hooks.is_valid_on_the_wire(operation, response.request)
                counts[response.status_code] = counts.get(response.status_code, 0) + 1
                assert response.status_code in statuses["positive" if is_positive else "negative"], what
                if response.status_code == 200:
                    assert response.headers["content-type"] == "text/event-stream", what
                else:
                    error.validate(response.json())

        check()
    print(f"event stream: answers by status {counts}")
    assert counts.get(200) and counts.get(422), "nothing was accepted, or nothing refused"


def check_document(settings):
    """The document is valid, and served as it says of itself."""
    answer = requests.get(settings["url"] + DOCUMENT, timeout=20)
    assert answer.status_code == 200 and answer.headers["content-type"] == "application/json", answer.headers
    assert answer.headers["cache-control"] == "public, no-cache", answer.headers
    openapi_spec_validator.validate(answer.json())
    tag = answer.headers["etag"]
    again = requests.get(settings["url"] + DOCUMENT, headers={"If-None-Match": tag}, timeout=20)
    assert again.status_code == 304 and not again.content and again.headers["etag"] == tag, again.headers
    other = requests.post(settings["url"] + DOCUMENT, timeout=20)
    assert other.status_code == 405 and other.headers["allow"] == "GET", other.headers
    return answer.json()


# The plugin of this test has neither queues nor endpoints, and so neither cursors nor dead letters. The server has no OpenID
# provider, and the calls below need what the document cannot give: a password, a link, or an admin's session, which the
# tests of accounts have.
NEVER_ACCEPTED = {
    "POST /api/oidc", "POST /api/login", "POST /api/register", "POST /api/setup", "POST /api/reset", "POST /api/logout",
    "POST /api/password", "GET /api/tokens", "POST /api/tokens", "DELETE /api/tokens/{tokenId}",
    "GET /api/admin/users", "POST /api/admin/users", "GET /api/admin/users/{userId}", "PATCH /api/admin/users/{userId}",
    "POST /api/admin/users/{userId}/reset", "POST /api/admin/users/{userId}/logout", "GET /api/admin/invites",
    "POST /api/admin/invites", "DELETE /api/admin/invites/{inviteId}", "GET /api/admin/tokens",
    "DELETE /api/admin/tokens/{tokenId}", "GET /api/admin/hooks", "POST /api/admin/hooks",
    "DELETE /api/admin/hooks/{hook}", "GET /api/admin/audit", "POST /api/admin/replays",
    "DELETE /api/admin/replays/{replayId}",
    "POST /api/admin/plugins/{plugin}/test-send", "GET /api/admin/plugins/{plugin}/deliveries",
    "GET /api/admin/cursors/{plugin}/{queue}", "PUT /api/admin/cursors/{plugin}",
    "PUT /api/admin/cursors/{plugin}/{queue}", "GET /api/admin/dead-letters/{plugin}/{queue}",
    "POST /api/admin/dead-letters/{plugin}/{queue}",
}


def check_statuses(settings):
    """Every operation was accepted and refused: else its checks checked nothing."""
    with open(settings["statuses"], encoding="utf-8") as file:
        statuses = json.load(file)
    for operation, counts in sorted(statuses.items()):
        print(f"{operation}: " + ", ".join(f"{counts[status]} x {status}" for status in sorted(counts)))
    with open(settings["document"], encoding="utf-8") as file:
        document = json.load(file)
    expected = {
        f"{method.upper()} {path}" for path, item in document["paths"].items() for method in item
        if path not in (STREAM, DOCUMENT)}
    assert set(statuses) == expected, expected ^ set(statuses)
    accepted = {name for name, counts in statuses.items() if any(status < "300" for status in counts)}
    assert accepted == expected - NEVER_ACCEPTED, accepted ^ (expected - NEVER_ACCEPTED)


def main():
    path = os.path.abspath(sys.argv[1])
    with open(path, encoding="utf-8") as file:
        settings = json.load(file)
    document = check_document(settings)
    seed(settings)
    settings["statuses"] = settings["document"] + ".statuses"
    with open(settings["document"], "w", encoding="utf-8") as file:
        json.dump(document, file)
    with open(path, "w", encoding="utf-8") as file:
        json.dump(settings, file)
    os.environ["CROWBAR_OPENAPI"] = path
    # Nothing is written beside the sources.
    sys.dont_write_bytecode = True
    sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
    import openapi_hooks

    check_frames(settings, openapi_hooks)
    check_stream(settings, openapi_hooks)
    status = schemathesis(settings, path)
    check_statuses(settings)
    sys.exit(status)


if __name__ == "__main__":
    main()
