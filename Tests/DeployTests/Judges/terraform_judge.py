"""Judges the modules with Terraform itself. usage: terraform_judge.py format|validate|variables|apply FILE"""

import json
import os
import re
import shutil
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import world

RELEASE = world.ARGUMENTS["release"]
HOST = {
    "name": "crowbar",
    "vpc_id": "vpc-1",
    "subnet_id": "subnet-1",
    "availability_zone": "eu-central-1a",
    "vpc_cidr": "10.0.0.0/16",
    "release": RELEASE,
    "configuration": "",
}
SITE = {
    "bucket": "chat-site",
    "domain": "chat.example.org",
    "host_name": "ip-10-0-0-1.ec2.internal",
    "certificate_arn": "arn:aws:acm:us-east-1:123456789012:certificate/x",
    "host_arn": "arn:aws:ec2:eu-central-1:123456789012:instance/i-1",
}
IDENTITY = {"name": "crowbar", "domain": "chat.example.org", "login_prefix": "chat-example"}
QUEUE = {"types": [], "readers": [], "function": ""}
# For each module: good values, then values of one variable that are refused, each with a part of the message.
VARIABLES = {
    "queues": (
        {"name": "crowbar", "queues": {"a": QUEUE}},
        [
            ("name", "Crowbar", "begins with a letter"),
            ("name", "a" * 41, "1 to 40"),
            ("queues", {"UP": QUEUE}, "queue's name"),
            ("queues", {"a": QUEUE | {"types": ["message_sent"]}}, "in capitals"),
            ("queues", {"a": QUEUE | {"readers": ["*"]}}, "A reader is"),
            ("queues", {"a": QUEUE | {"function": "search"}}, "whole ARN"),
            ("publishers", ["*"], "A publisher is"),
            ("functions", ["f"], "whole ARN"),
            ("max_receives", 0, "1 to 1000"),
            ("visibility_timeout", 50000, "43200"),
            ("queues", {"a": {"types": []}}, "attributes"),
        ],
    ),
    "site": (
        SITE,
        [
            ("bucket", "a.b", "with dots"),
            ("domain", "https://chat.example.org/", "without scheme"),
            ("price_class", "All", "PriceClass_100"),
            ("certificate_arn", "arn:aws:acm:eu-central-1:123456789012:certificate/x", "us-east-1"),
            ("host_arn", "i-1", "ARN of an EC2"),
            ("host_port", 22, "1024 to 65535"),
        ],
    ),
    "identity": (
        IDENTITY,
        [
            ("login_prefix", "my-cognito", "contains none of"),
            ("hook_url", "http://chat.example.org/hooks/x", "https://"),
            ("hook_url", "https://chat.example.org/api", "/hooks/TOKEN"),
            ("log_days", 2, "CloudWatch accepts"),
        ],
    ),
    "host": (
        HOST,
        [
            ("architecture", "x86_64", "amd64 or arm64"),
            ("vpc_cidr", "10.0.0.0", "range"),
            ("volume_size", 0, "GiB"),
            ("snapshot_days", 0, "snapshots"),
            ("release", {"uri": "https://example.org/x", "sha256": "0" * 64}, "s3://"),
            ("release", {"uri": RELEASE["uri"], "sha256": "0"}, "64 hex"),
            ("release", {"uri": "s3://b/$(id)", "sha256": "0" * 64}, "s3://"),
            ("plugins", {"../x": ""}, "manifest's name"),
            ("secrets", {"x; id": "/a"}, "file name"),
            ("secrets", {"x": '/a"; id'}, "begins with '/'"),
        ],
    ),
    "example": (world.ARGUMENTS, [("zone_id", "example.org", "begins with Z"), ("zone", "eu-central-1a", "letter")]),
}


def formatted():
    """Every file is as 'terraform fmt' writes it, and a file that is not is found."""
    place = world.World()
    status, output = place.run(".", "fmt", "-check", "-recursive", check=False)
    if status != 0:
        sys.exit(f"'terraform fmt -recursive deploy/terraform' changes {output}")
    with open(place.folder.name + "/deploy/terraform/queues/main.tf", "a") as file:
        file.write("locals   {\n}\n")
    if place.run(".", "fmt", "-check", "-recursive", check=False)[0] == 0:
        sys.exit("a file that is not formatted was accepted")
    return 2


def validate():
    """Every argument, type and reference is known to the provider; mistakes of each kind are found."""
    place = world.World()
    for module in world.MODULES:
        place.run(module, "init", "-input=false", "-no-color")
        place.run(module, "validate", "-no-color")
    mistakes = [
        ('resource "aws_sqs_queue" "x" {\n  fifo = true\n}\n', 'named "fifo" is not expected'),
        ('resource "aws_sqs_queue" "x" {\n  fifo_queue = "perhaps"\n}\n', "bool is required"),
        (
            'resource "aws_sqs_queue_policy" "x" {\n  queue_url = aws_sqs_queue.events["a"].uri\n  policy = ""\n}\n',
            "uri",
        ),
        ('resource "aws_sqs_queue_policy" "x" {\n  queue_url = ""\n}\n', '"policy" is required'),
        ('resource "aws_sqs_queue" "x" {\n  policy {}\n}\n', 'Blocks of type "policy" are not expected'),
        ('resource "aws_sqs_topic" "x" {}\n', 'does not support resource type "aws_sqs_topic"'),
    ]
    for text, expected in mistakes:
        path = place.folder.name + "/deploy/terraform/queues/mistake.tf"
        with open(path, "w") as file:
            file.write(text)
        status, output = place.run("queues", "validate", "-no-color", check=False)
        if status == 0 or expected not in " ".join(output.split()):
            sys.exit(f"this mistake was not found by {expected!r}:\n{text}\n{output}")
        os.unlink(path)
    return len(world.MODULES) + len(mistakes)


def variables():
    """Each condition of a variable accepts good values and refuses bad ones with its message; each variable has a description."""
    place = world.World()
    count = 0
    for module, (good, cases) in VARIABLES.items():
        folder = f"{place.folder.name}/deploy/terraform/variables-{module}"
        os.mkdir(folder)
        # Variables alone need no provider.
        shutil.copy(f"{world.ROOT}/deploy/terraform/{module}/variables.tf", folder)
        place.run(f"variables-{module}", "init", "-input=false")

        def plan(values):
            with open(folder + "/test.auto.tfvars.json", "w") as file:
                json.dump(values, file)
            return place.run(f"variables-{module}", "plan", "-input=false", "-no-color", "-refresh=false", check=False)

        status, output = plan(good)
        if status != 0:
            sys.exit(f"{module}: good values are refused:\n{output}")
        for name, value, expected in cases:
            status, output = plan(good | {name: value})
            if status == 0 or expected not in " ".join(output.replace("│", " ").split()):
                sys.exit(f"{module}: {name} = {value!r} is not refused by {expected!r}:\n{output}")
        tested = {case[0] for case in cases}
        with open(folder + "/variables.tf") as file:
            for text in file.read().split('\nvariable "'):
                name = text.removeprefix('variable "').split('"')[0]
                if "description" not in text:
                    sys.exit(f"{module}: the variable {name} has no description")
                if "validation {" in text and name not in tested and name not in ("name", "domain"):
                    sys.exit(f"{module}: no test refuses a value of {name}")
        count += 1 + len(cases) + documented(module)
    return count


def documented(module):
    """The module's README has a row for each variable and output, and says what was not judged."""
    folder = f"{world.ROOT}/deploy/terraform/{module}"
    texts = {}
    for name in ("variables.tf", "outputs.tf", "README.md"):
        with open(f"{folder}/{name}") as file:
            texts[name] = file.read()
    names = re.findall(r'^(?:variable|output) "(\w+)"', texts["variables.tf"] + texts["outputs.tf"], re.M)
    missing = [name for name in names if f"\n| `{name}` |" not in texts["README.md"]]
    if missing or "## What was not judged" not in texts["README.md"] or "## Cost" not in texts["README.md"]:
        sys.exit(f"{module}/README.md is incomplete: {missing}")
    return len(names)


def apply(path):
    """Writes the state of the example, applied with the stubs, and that of the modules' other ways."""
    place = world.World()
    example = place.apply("example", world.ARGUMENTS)
    # Without a hook there is no function; with publishers of other accounts there are statements for them.
    identity = world.World().apply("identity", IDENTITY)
    queues = world.World().apply(
        "queues", {"name": "chat", "queues": {"far": QUEUE}, "publishers": ["arn:aws:iam::210987654321:role/crowbar"]}
    )
    states = {"example": example, "identity": identity, "queues": queues}
    with open(path, "w") as file:
        json.dump({name: {"resources": s.resources, "outputs": s.outputs} for name, s in states.items()}, file)
    return len(example.resources)


def main():
    modes = {"format": formatted, "validate": validate, "variables": variables, "apply": apply}
    print(f"judged: {modes[sys.argv[1]](*sys.argv[2:])}")


main()
