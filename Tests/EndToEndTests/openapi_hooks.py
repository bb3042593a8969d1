"""What schemathesis needs to know about Crowbar: who calls, and values that exist. Loaded by openapi_check.py.

Rules that JSON Schema cannot state are kept here for valid requests, so that the server has to accept each of them:
what an extended grapheme cluster is, and which query parameters exclude each other.
"""
import atexit
import collections
import functools
import itertools
import json
import os
import re
import urllib.parse
import zlib

import jsonschema
import referencing
import schemathesis
from hypothesis import strategies as st

with open(os.environ["CROWBAR_OPENAPI"], encoding="utf-8") as file:
    SETTINGS = json.load(file)
with open(SETTINGS["document"], encoding="utf-8") as file:
    DOCUMENT = json.load(file)

# MARK: Values

NAMES = st.from_regex(r"\A:[a-z0-9_+-]{1,30}:\Z")
schemathesis.openapi.format("reaction", st.sampled_from(["👍", "é", "👩‍👩‍👧", "🇩🇪", "a", "❤️"]) | NAMES)

COMMAND_LINES = [
    b'{"type":"SEND_MESSAGE","channelId":"general","message":"a line"}',
    b'{"type":"JOIN_CHANNEL","channelId":"nowhere"}',
    b'{"type":"SEND_MESSAGE","channelId":"general","message":""}',
    b'{"type":"FLY"}',
    b'{"type":"RENAME_USER","name":"Root","eventId":"rename-1"}',
    b"{}", b"[]", b"null", b"{", b"", b" ", b"\r", b"\xff\xfe", b'{"type":"\\u0000"}',
]
LINES = st.lists(st.sampled_from(COMMAND_LINES) | st.binary(max_size=64), max_size=12).map(b"\n".join)
schemathesis.openapi.media_type("application/x-ndjson", LINES)

# MARK: Callers

ADMIN, USERS = SETTINGS["admin"], SETTINGS["users"]
# These have a rate for each user, which is not what is tested here.
LIMITED = {"/views/search.json", "/api/read"}
callers = itertools.cycle(USERS)
addresses, numbers = itertools.count(1), itertools.count(1)


@schemathesis.auth(refresh_interval=None)
class Tokens:
    def get(self, case, context):
        return next(callers) if case.operation.path in LIMITED else ADMIN

    def set(self, case, data, context):
        case.headers = case.headers or {}
        case.headers["Authorization"] = f"Bearer {data}"


# MARK: Calls


def chance(case, salt, of):
    """A number below `of` that depends on the request alone."""
    text = repr((salt, case.operation.label, case.path_parameters, case.query, case.body))
    return zlib.crc32(text.encode(errors="replace")) % of


def valid_names(case, place, values):
    """The parameters of a request that have valid values."""
    return {
        parameter["name"] for parameter in parameters(case.operation.path, case.operation.method.lower())
        if parameter["in"] == place and parameter["name"] in values
        and is_valid_text(wire_text(values[parameter["name"]]), parameter["schema"])}


def wire_text(value):
    if isinstance(value, bool):
        return "true" if value else "false"
    return ",".join(map(wire_text, value)) if isinstance(value, list) else str(value)


def use_what_exists(case):
    """Valid ids become ones that exist, often: else nearly every answer were a 404, whatever else is wrong with the
    request. Invalid ids stay."""
    path, query = case.path_parameters or {}, case.query or {}
    for name in valid_names(case, "path", path) & set(SETTINGS["path"]):
        if chance(case, name, 4):
            values = SETTINGS["path"][name]
            path[name] = values[chance(case, name + "?", len(values))]
    if not isinstance(query, dict):
        return
    valid = valid_names(case, "query", query)
    for parameter in parameters(case.operation.path, case.operation.method.lower()):
        is_event = parameter["in"] == "query" and parameter["name"] in ("min", "before", "after", "around")
        if is_event and parameter["name"] in valid and parameter["schema"].get("pattern", "").startswith(EVENT):
            if chance(case, parameter["name"], 4):
                query[parameter["name"]] = SETTINGS["events"][chance(case, parameter["name"] + "?", 20)]
    if "queue" in valid and chance(case, "queue", 2):
        query["queue"] = "main"
    # For users, which call this route here, it is forbidden.
    if case.operation.path in LIMITED and "all" in valid and chance(case, "all", 4):
        query["all"] = "false"


EVENT = "^[A-Za-z0-9._:~-]{1,128}$"


def use_what_exists_in_body(case):
    """The same for bodies. New ids, those that a command gives its event and message, become unused ones."""
    body = case.body
    if not isinstance(body, dict):
        return
    kind, existing, new = body.get("type"), dict(SETTINGS["body"]), []
    if case.operation.path == "/api/commands":
        new = ["eventId", "messageId"] if kind == "SEND_MESSAGE" else ["eventId"]
    else:
        existing.update(channelId=["general"], eventId=SETTINGS["events"][::2])
    for name, values in existing.items():
        text, schema = body.get(name), {"$ref": "#/components/schemas/" + IDS.get(name, "EventId")}
        if isinstance(text, str) and is_valid_text(text, schema) and chance(case, name, 8):
            body[name] = f"new-{next(numbers)}" if name in new else values[chance(case, name + "?", len(values))]
    if body.get("channelId") in SETTINGS["body"]["channelId"]:
        # Only private channels have invitations.
        if kind == "INVITE_USER":
            body["channelId"] = SETTINGS["privateChannel"]
        # The others are still needed.
        if kind in ("DESTROY_CHANNEL", "LEAVE_CHANNEL"):
            body["channelId"] = "other"


IDS = {"channelId": "ChannelId", "invitee": "UserId", "member": "UserId", "userId": "ActorId"}


def keep_rules_between_parameters(case):
    """Drops valid parameters that another one excludes: the server would refuse the request for that alone."""
    query = case.query or {}
    if not isinstance(query, dict):
        return
    valid = valid_names(case, "query", query)
    if "min" not in query and "wait" in valid:
        del query["wait"]
    if "mine" in valid and "all" in valid:
        del query["all"]
    if "/views/messages/" in case.operation.path:
        given = sorted((name for name in ("before", "after", "around") if name in query), key=valid.__contains__)
        for name in given[1:]:
            if name in valid:
                del query[name]


@schemathesis.hook
def before_call(context, case, kwargs):
    case.headers = case.headers or {}
    # Wrong tokens and unknown hooks are limited for each address; the server trusts this header of the loopback.
    number = next(addresses)
    case.headers["X-Forwarded-For"] = f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"
    if case.meta is not None:
        use_what_exists(case)
        use_what_exists_in_body(case)
        keep_rules_between_parameters(case)


STATUSES = collections.defaultdict(collections.Counter)


@schemathesis.hook
def after_call(context, case, response):
    STATUSES[case.operation.label][response.status_code] += 1


@atexit.register
def write_statuses():
    """For openapi_check.py: how often each operation was answered with which status."""
    if STATUSES:
        with open(SETTINGS["statuses"], "w", encoding="utf-8") as file:
            json.dump(STATUSES, file)


def parameters(path, method):
    """The parameters of an operation, with what they refer to."""
    found = []
    for parameter in DOCUMENT["paths"][path][method].get("parameters", []):
        while "$ref" in parameter:
            parameter = resolve(parameter["$ref"])
        schema = parameter["schema"]
        while "$ref" in schema:
            schema = resolve(schema["$ref"])
        found.append({**parameter, "schema": schema})
    return found


def resolve(reference):
    node = DOCUMENT
    for key in reference.removeprefix("#/").split("/"):
        node = node[key]
    return node


def is_valid_text(text, schema):
    while "$ref" in schema:
        schema = resolve(schema["$ref"])
    if schema["type"] == "integer":
        return text.isascii() and text.isdigit() and schema["minimum"] <= int(text) <= schema.get("maximum", 2**63 - 1)
    if schema["type"] == "array":
        parts = text.split(",")
        return len(parts) <= schema["maxItems"] and all(is_valid_text(part, schema["items"]) for part in parts)
    if schema["type"] == "boolean":
        return text in ("true", "false")
    if "enum" in schema:
        return text in schema["enum"]
    return len(text) <= schema.get("maxLength", len(text)) and re.search(schema.get("pattern", ""), text) is not None


def is_valid_on_the_wire(operation, request):
    """Whether the parameters of a request are valid as texts, which is all that a server sees of them."""
    # A `+` stands for itself, unlike in forms.
    parts = [part.partition("=") for part in urllib.parse.urlsplit(request.url).query.split("&") if part]
    query = [(urllib.parse.unquote(name), urllib.parse.unquote(value)) for name, _, value in parts]
    known = {(p["in"], p["name"]): p["schema"] for p in parameters(operation.path, operation.method.lower())}
    given = [(("query", name), value) for name, value in query]
    given += [(key, request.headers[key[1]]) for key in known if key[0] == "header" and key[1] in request.headers]
    return len({key for key, _ in given}) == len(given) and all(
        key in known and is_valid_text(value, known[key]) for key, value in given)


# MARK: Checks

REGISTRY = referencing.Registry().with_resource(
    "urn:openapi", referencing.Resource.from_contents(DOCUMENT, referencing.jsonschema.DRAFT202012))


def with_base(schema):
    """A schema of the document whose references are resolved in the document."""
    if isinstance(schema, dict):
        return {
            key: "urn:openapi" + value if key == "$ref" else with_base(value) for key, value in schema.items()}
    return [with_base(value) for value in schema] if isinstance(schema, list) else schema


@functools.cache
def line_validator(path, method, status):
    content = DOCUMENT["paths"][path][method]["responses"][status]["content"]["application/x-ndjson"]
    return jsonschema.Draft202012Validator(with_base(content["x-line-schema"]), registry=REGISTRY)


@functools.cache
def body_validator(path, method):
    """The validator of an operation's JSON body; None if it has none."""
    content = DOCUMENT["paths"][path][method].get("requestBody", {}).get("content", {})
    if "application/json" not in content:
        return None
    return jsonschema.Draft202012Validator(with_base(content["application/json"]["schema"]), registry=REGISTRY)


@schemathesis.check
def bodies_rejection(ctx, response, case):
    """No invalid JSON body is accepted."""
    check = body_validator(case.operation.path, case.operation.method.lower())
    body = response.request.body
    if response.status_code >= 400 or check is None or not body:
        return
    if response.request.headers.get("Content-Type", "") in ("application/json", "application/json; charset=utf-8"):
        errors = [error.message for error in check.iter_errors(json.loads(body))]
        assert not errors, f"accepted: {body[:500]!r}: {errors[:3]}"


# These ignore parameters that they do not know.
TOLERANT = {"/api/commands", "/api/read", "/healthz", "/readyz", "/hooks/{token}"}


@schemathesis.check
def parameters_rejection(ctx, response, case):
    """No invalid parameter is accepted. negative_data_rejection sees none beside valid ones in the coverage phase."""
    if response.status_code < 400 and case.operation.path not in TOLERANT:
        assert is_valid_on_the_wire(case.operation, response.request), f"accepted: {response.request.url}"


@schemathesis.check
def lines_conformance(ctx, response, case):
    """Each line of an NDJSON answer is as `x-line-schema` says."""
    if response.headers.get("content-type", [""])[0] != "application/x-ndjson":
        return
    check = line_validator(case.operation.path, case.operation.method.lower(), str(response.status_code))
    for line in response.content.splitlines():
        errors = [error.message for error in check.iter_errors(json.loads(line))]
        assert not errors, f"{line[:500]!r}: {errors[:3]}"
