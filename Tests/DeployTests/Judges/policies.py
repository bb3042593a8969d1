"""What IAM would say about policies, as far as the modules' policies go: Deny before Allow, principals, actions,
resources and the conditions Bool, ArnEquals and StringEquals. Anything else in a policy is an error, so that nothing is judged by guessing.
"""

import fnmatch
import json

KEYS = {"Sid", "Effect", "Principal", "Action", "Resource", "Condition"}


def several(value):
    return value if isinstance(value, list) else [value]


def allows(policies, action, resource, principal=None, service=None, **context):
    """Whether one of the policies (JSON texts) allows a call and none denies it. `context` has keys as aws_SourceArn."""
    context = {"aws:SecureTransport": "true"} | {key.replace("_", ":", 1): value for key, value in context.items()}
    verdicts = set()
    for text in policies:
        document = json.loads(text)
        assert document["Version"] == "2012-10-17", text
        for statement in several(document["Statement"]):
            assert set(statement) <= KEYS, statement
            if applies(statement, action, resource, principal, service, context):
                verdicts.add(statement["Effect"])
    assert verdicts <= {"Allow", "Deny"}
    return verdicts == {"Allow"}


def applies(statement, action, resource, principal, service, context):
    if "Principal" in statement:
        known = statement["Principal"]
        assert set(known) <= {"AWS", "Service"}, statement
        names = several(known.get("AWS", []))
        if service is not None:
            if service not in several(known.get("Service", [])) and names != ["*"]:
                return False
        elif principal not in names and names != ["*"] and account(principal) not in names:
            return False
    if not any(fnmatch.fnmatchcase(action.lower(), pattern.lower()) for pattern in several(statement["Action"])):
        return False
    if not any(fnmatch.fnmatchcase(resource, pattern) for pattern in several(statement["Resource"])):
        return False
    for operator, conditions in statement.get("Condition", {}).items():
        assert operator in ("Bool", "ArnEquals", "StringEquals"), statement
        for key, value in conditions.items():
            given = context.get(key)
            if given is None or not any(
                fnmatch.fnmatchcase(given, v) if operator == "ArnEquals" else given == v for v in several(value)
            ):
                return False
    return True


def account(principal):
    """The account of a role: a policy that names the account leaves it to the account which of its roles it means."""
    return f"arn:aws:iam::{principal.split(':')[4]}:root"
