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


# The pages of docs/protocol: one for each message.

FOLDER = DOCS / "protocol"
KINDS = {"string": "string", "boolean": "true or false", "integer": "whole number", "object": "object", "null": "null"}


def kind_of(field):
    """The type of a field, for people."""
    if "const" in field:
        return f"`{json.dumps(field['const'])}`"
    if "$ref" in field:
        return {"name": "name", "id": "string or whole number"}.get(field["$ref"].split("/")[-1]) or kind_of(
            SCHEMA["$defs"][field["$ref"].split("/")[-1]])
    if "enum" in field:
        return ", ".join(f"`{each}`" for each in field["enum"][:-1]) + f" or `{field['enum'][-1]}`"
    if "type" not in field:
        return "any JSON"
    if field["type"] == "array":
        item = kind_of(field["items"])
        return f"array of {'objects' if item not in KINDS.values() else item + 's'}"
    return " or ".join(KINDS[each] for each in ([field["type"]] if isinstance(field["type"], str) else field["type"]))


def presence(schema, name):
    """When a field is there."""
    if name in schema.get("required", []):
        return "always"
    alternatives = [each["required"][0] for each in schema.get("oneOf", [])]
    if name in alternatives:
        return "one of " + ", ".join(f"`{each}`" for each in alternatives)
    if "if" in schema:
        (condition, value), = schema["if"]["properties"].items()
        for branch, when in (("then", value["const"]), ("else", not value["const"])):
            if name in schema.get(branch, {}).get("required", []):
                return f"if `{condition}` is {json.dumps(when)}"
    return "optional"


def rows(schema, prefix=""):
    """The table of a message's fields, as its page has it."""
    for name, field in schema["properties"].items():
        if name == "type" and not prefix:
            continue
        yield f"| `{prefix}{name}` | {kind_of(field)} | {presence(schema, name)} | {field['description']} |"
        items = field.get("items", {})
        inner = SCHEMA["$defs"][items["$ref"].split("/")[-1]] if "$ref" in items else items or field
        if name not in OPAQUE and "properties" in inner:
            yield from rows(inner, f"{prefix}{name}{'[]' if items else ''}.")


def optional(schema):
    return {name for name in schema["properties"] if presence(schema, name) == "optional"}


PAGES = [(side, name) for side in SIDES for name in messages(side)]


def test_the_tables_mark_what_may_be_left_out():
    for side in SIDES:
        section = PAGE.split(f"## {SIDES[side][0]}\n")[1].split("\n## ")[0]
        for row in re.finditer(r"^\| `(\w+)` \|(.*?)\| ", section, re.MULTILINE):
            schema = messages(side)[row[1]]
            expected = optional(schema)
            if row[1] == "ready":
                expected |= optional(SCHEMA["$defs"]["queue"])
            assert set(re.findall(r"(\w+)`?\?", row[2])) == expected, row[1]


def test_no_page_is_of_another_message():
    assert {page.stem for page in FOLDER.glob("*.md")} == {name for _, name in PAGES} | {"README"}


@pytest.mark.parametrize("side,name", PAGES)
def test_a_message_has_its_page(side, name):
    page = (FOLDER / f"{name}.md").read_text()
    assert page.startswith(f"# `{name}`\n")
    assert f"\n- **From:** the {side}\n" in page
    assert all(f"\n## {heading}\n" in page for heading in ("Example", "Fields", "Rules", "Mistakes"))
    lines = [line for block in re.findall(r"^```json\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
             for line in block.splitlines()]
    validator = jsonschema.Draft202012Validator({**SCHEMA, "anyOf": [{"$ref": f"#/$defs/{SIDES[side][2]}"}]})
    for line in map(json.loads, lines):
        validator.validate(line)
        assert line["type"] == name and set(line) <= set(messages(side)[name]["properties"]), line
    assert lines
    fields = page.split("\n## Fields\n")[1].split("\n## ")[0]
    assert re.findall(r"^\| `.*$", fields, re.MULTILINE) == list(rows(messages(side)[name]))


def test_the_links_of_the_pages_lead_somewhere():
    for page in FOLDER.glob("*.md"):
        for link in re.findall(r"\]\(([^)#]+)", page.read_text()):
            assert (FOLDER / link).is_file(), f"{page.name} links to {link}"
    index = (FOLDER / "README.md").read_text()
    assert [name for _, name in PAGES] == re.findall(r"^\| \[`(\w+)`\]\(\1\.md\) \|", index, re.MULTILINE)
