"""The schema of a Terraform provider, read from its bindings for cdktf (PyPI), which are generated from that schema.

The bindings are parsed, not run: they are a wheel of 60 MB whose code needs Node.
"""

import ast
import re
import zipfile

# Names that the bindings' way from camel case and back changes.
NAMES = {"output_base64_sha256": "output_base64sha256"}
META = {"connection", "count", "depends_on", "for_each", "lifecycle", "provider", "provisioners"}


class Bindings:
    def __init__(self, wheel):
        self.archive = zipfile.ZipFile(wheel)
        self.package = next(name for name in self.archive.namelist() if name.endswith("/provider/__init__.py")).split(
            "/"
        )[0]

    def classes(self, module):
        text = self.archive.read(f"{self.package}/{module}/__init__.py").decode()
        return {node.name: node for node in ast.parse(text).body if isinstance(node, ast.ClassDef)}

    def resource(self, kind, prefix):
        """The schema of a resource, or with `data.` a data source; None if the provider has none of the name."""
        name = kind.removeprefix("data.").removeprefix(prefix + "_")
        module = ("data_" + prefix + "_" if kind.startswith("data.") else "") + name
        try:
            classes = self.classes(module)
        except KeyError:
            return None
        config = next(
            n
            for n in classes.values()
            if n.name.endswith("Config") and any("MetaArguments" in ast.unparse(b) for b in n.bases)
        )
        main = classes[config.name.removesuffix("Config")]
        schema = block(classes, config)
        known = {a["name"] for a in schema["attributes"]} | {b["name"] for b in schema["blocks"]}
        for name, annotation in properties(main).items():
            if name in known or name.endswith("_input") or name in META or name == "config_raw":
                continue
            kind = computed(classes, annotation)
            if kind:
                schema["attributes"].append({"name": NAMES.get(name, name), "type": kind, "computed": True})
        for attribute in schema["attributes"]:
            # Optional in the bindings; the provider sets them where the configuration does not.
            if attribute["name"] in ("id", "region", "tags_all"):
                attribute["computed"] = True
        return schema

    def provider(self):
        classes = self.classes("provider")
        return block(classes, next(n for n in classes.values() if n.name.endswith("ProviderConfig")))


def block(classes, node):
    init = next(n for n in node.body if isinstance(n, ast.FunctionDef) and n.name == "__init__")
    text = ast.get_docstring(init) or ""
    blocks = set(re.findall(r":param (\w+): \1 block\.", text))
    result = {"attributes": [], "blocks": []}
    for argument, default in zip(init.args.kwonlyargs, init.args.kw_defaults):
        name = argument.arg.rstrip("_")
        if name in META and "Terraform" in ast.unparse(argument.annotation) or name in ("connection", "provisioners"):
            continue
        annotation = strip(ast.unparse(argument.annotation))
        struct = next((word for word in re.findall(r"\w+", annotation) if word in classes), None)
        isList = "Sequence[" in annotation
        if name in blocks:
            inner = block(classes, classes[struct])
            result["blocks"].append({"name": name, "block": inner, "list": isList, "required": default is None})
        else:
            kind = attribute(classes, annotation, struct, isList)
            result["attributes"].append(
                {"name": name, "type": kind, "required": default is None, "optional": default is not None}
            )
    return result


def attribute(classes, annotation, struct, isList):
    if struct:
        inner = block(classes, classes[struct])
        value = ["object", {a["name"]: a["type"] for a in inner["attributes"]}]
        return ["list", value] if isList else value
    return simple(annotation)


def strip(annotation):
    """Without what says that a value may be missing or come later."""
    annotation = (
        annotation.replace("_cdktf_9a9027ec.IResolvable", "")
        .replace("builtins.", "")
        .replace("typing.", "")
        .replace(" ", "")
    )
    match = re.fullmatch(r"Optional\[(.*)\]", annotation)
    return match.group(1) if match else annotation


def simple(annotation):
    for pattern, kind in (
        (r"Mapping\[str,str\]|\w*\.?StringMap", ["map", "string"]),
        (r"Mapping\[str,jsii\.Number\]|\w*\.?NumberMap", ["map", "number"]),
        (r"(Union\[,?)?(Sequence|List)\[str\].*", ["list", "string"]),
        (r"(Union\[,?)?(Sequence|List)\[jsii\.Number\].*", ["list", "number"]),
        (r"str", "string"),
        (r"jsii\.Number", "number"),
        (r"(Union\[)?bool,?\]?", "bool"),
        (r"", "bool"),
    ):
        if re.fullmatch(pattern, annotation):
            return kind
    return "dynamic"


def properties(node):
    found = {}
    for item in node.body:
        if isinstance(item, ast.FunctionDef) and any(
            ast.unparse(d) == "builtins.property" for d in item.decorator_list
        ):
            found[item.name.rstrip("_")] = strip(ast.unparse(item.returns))
    return found


def computed(classes, annotation, depth=0):
    struct = re.fullmatch(r"['\"]?(\w+?)(List|OutputReference)['\"]?", annotation)
    if not struct or struct.group(1) + "OutputReference" not in classes:
        return simple(annotation)
    reference = classes.get(struct.group(1) + "OutputReference")
    if reference is None or depth > 6:
        return "dynamic"
    members = {}
    for name, inner in properties(reference).items():
        if name in ("internal_value", "fqn") or name.endswith("_input"):
            continue
        members[name] = computed(classes, inner, depth + 1)
    return ["list", ["object", members]]
