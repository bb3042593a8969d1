"""docs/protocol.schema.json and docs/protocol.md name the same messages and fields, and each example validates."""
import json
import pathlib
import re

import jsonschema
import pytest

DOCS = pathlib.Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "protocol.md").read_text()
SCHEMA = json.loads((DOCS / "protocol.schema.json").read_text())
SIDES = {"host": ("Host → plugin", "→", "hostMessage"), "plugin": ("Plugin → host", "←", "pluginMessage")}
# Values and words that stand among the fields of the tables.
WORDS = {"true", "false", "or", "as", "in", "ready", "WORD", "CHANNEL"}
# A field whose members are not the protocol's.
OPAQUE = {"event", "command", "config", "details", "fields"}


def table(heading):
    """The words of the column `fields`, by message."""
    section = PAGE.split(f"## {heading}\n")[1].split("\n## ")[0]
    found = {}
    for row in re.finditer(r"^\| `(\w+)` \|(.*?)\| ", section, re.MULTILINE):
        found[row[1]] = {word for code in re.findall(r"`([^`]*)`", row[2]) for word in re.findall(r"[A-Za-z]+", code)}
    return found


def messages(side):
    """The schemas of a side's messages, by type."""
    return {name.split(".")[1]: schema for name, schema in SCHEMA["$defs"].items() if name.startswith(f"{side}.")}


def names(schema, found=None):
    """The names of the fields of a schema, at every depth, and the texts that its fields can be."""
    fields, values = found or (set(), set())
    if "$ref" in schema:
        names(SCHEMA["$defs"][schema["$ref"].split("/")[-1]], (fields, values))
    values.update(each for each in schema.get("enum", []) if isinstance(each, str))
    for name, inner in schema.get("properties", {}).items():
        fields.add(name)
        if name not in OPAQUE:
            names(inner, (fields, values))
    if isinstance(schema.get("items"), dict):
        names(schema["items"], (fields, values))
    return fields, values


def examples(side):
    lines = re.findall(rf"^ +{SIDES[side][1]} (\{{.*)$", PAGE, re.MULTILINE)
    assert len(lines) > 10
    return [json.loads(line) for line in lines]


def test_the_schema_is_one():
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    assert all("description" in field or field.get("const") for side in SIDES
               for schema in messages(side).values() for field in schema["properties"].values())


@pytest.mark.parametrize("side", SIDES)
def test_both_name_the_same_messages_and_fields(side):
    page, schemas = table(SIDES[side][0]), messages(side)
    assert set(page) == set(schemas)
    listed = {reference["$ref"].split(".")[1] for reference in SCHEMA["$defs"][SIDES[side][2]]["oneOf"]}
    assert listed == set(schemas)
    for kind, schema in schemas.items():
        # `queues` refers to `ready` for the fields of a queue.
        fields, values = names(schema)
        words = page[kind] | (page["ready"] if kind == "queues" else set())
        assert fields - {"type"} <= words, f"the table lacks fields of '{kind}'"
        if kind != "queues":
            assert words <= fields | values | WORDS, f"the schema lacks fields of '{kind}'"


@pytest.mark.parametrize("side", SIDES)
def test_every_example_validates(side):
    validator = jsonschema.Draft202012Validator({**SCHEMA, "anyOf": [{"$ref": f"#/$defs/{SIDES[side][2]}"}]})
    for line in examples(side):
        validator.validate(line)
        assert set(line) <= set(messages(side)[line["type"]]["properties"]), line
    assert {line["type"] for line in examples(side)} == set(messages(side))


@pytest.mark.parametrize("line", [
    {"type": "ack"}, {"type": "ack", "delivery": 1, "upTo": 2}, {"type": "ack", "delivery": -1}, {"type": "pong"},
    {"type": "retry", "delivery": 1}, {"type": "result", "id": "1", "ok": True}, {"type": "ping", "n": "1"},
    {"type": "ready", "protocol": 2, "name": "x", "version": "1"}, {"type": "status", "level": "bad"},
    {"type": "other"},
    {"type": "window", "queue": "Main", "events": 1}])
def test_what_is_no_message_does_not_validate(line):
    assert not jsonschema.Draft202012Validator(SCHEMA).is_valid(line)
