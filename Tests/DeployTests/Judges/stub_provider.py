"""A Terraform provider whose schema is given and whose resources exist in the state only.

Terraform itself (any version that speaks plugin protocol 5) then checks every argument, type, reference and condition of a
configuration, and evaluates it to the end, without network and without an account. What AWS computes is invented by `invent`.

The schema's file is named by STUB_SCHEMA; it holds {"provider": BLOCK, "resources": {TYPE: BLOCK}, "data": {TYPE: BLOCK}}.
"""

import json
import os
import re
import signal
import sys
import tempfile
import threading
from concurrent import futures

import grpc
import msgpack

ACCOUNT = "123456789012"
UNKNOWN = msgpack.ExtType(0, b"\0")


# Protocol buffers, as much as is needed: fields by number, of length-delimited bytes or integers.


def varint(number):
    out = bytearray()
    while True:
        out.append(number & 0x7F | (0x80 if number > 0x7F else 0))
        number >>= 7
        if not number:
            return bytes(out)


def field(number, value):
    if isinstance(value, (bool, int)):
        return varint(number << 3) + varint(int(value))
    data = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(data)) + data


def fields(data):
    found, at = {}, 0

    def read():
        nonlocal at
        value = shift = 0
        while True:
            byte = data[at]
            at += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if not byte & 0x80:
                return value

    while at < len(data):
        key = read()
        if key & 7 == 2:
            length = read()
            found[key >> 3] = data[at : at + length]
            at += length
        else:
            found[key >> 3] = read()
    return found


def dynamic(value):
    return field(1, msgpack.packb(value))


def undynamic(data):
    return msgpack.unpackb(fields(data)[1], strict_map_key=False)


def block(schema):
    out = b""
    for a in schema["attributes"]:
        computed = a.get("computed", False)
        optional = a.get("optional", False)
        out += field(
            2,
            field(1, a["name"])
            + field(2, json.dumps(a["type"]))
            + field(4, a.get("required", False))
            + field(5, optional)
            + field(6, computed),
        )
    for b in schema["blocks"]:
        # Timeouts are an object, all others lists.
        mode, most = (1, 0) if b["name"] == "timeouts" else (2, 0 if b["list"] else 1)
        least = int(b["required"]) if mode == 2 else 0
        out += field(
            3, field(1, b["name"]) + field(2, block(b["block"])) + field(3, mode) + field(4, least) + field(5, most)
        )
    return out


# What AWS would have computed.

counter = iter(range(1, 1 << 30))
identifiers = {}


def invent(kind, attribute, values, region):
    name = attribute["name"]
    label = next(
        (values[k] for k in ("name", "bucket", "function_name", "domain", "key") if isinstance(values.get(k), str)),
        None,
    )
    if id(values) not in identifiers:
        identifiers[id(values)] = next(counter)
    number = f"{identifiers[id(values)]:017x}"
    place = values["region"] if isinstance(values.get("region"), str) else region
    arns = {
        "aws_sqs_queue": f"arn:aws:sqs:{region}:{ACCOUNT}:{label}",
        "aws_sns_topic": f"arn:aws:sns:{region}:{ACCOUNT}:{label}",
        "aws_kms_key": f"arn:aws:kms:{region}:{ACCOUNT}:key/{number}",
        "aws_iam_role": f"arn:aws:iam::{ACCOUNT}:role/{label}",
        "aws_lambda_function": f"arn:aws:lambda:{region}:{ACCOUNT}:function:{label}",
        "aws_s3_bucket": f"arn:aws:s3:::{label}",
        "aws_instance": f"arn:aws:ec2:{region}:{ACCOUNT}:instance/i-{number}",
        "aws_cloudfront_distribution": f"arn:aws:cloudfront::{ACCOUNT}:distribution/E{number.upper()}",
        "aws_acm_certificate": f"arn:aws:acm:{place}:{ACCOUNT}:certificate/{number}",
        "aws_cloudwatch_log_group": f"arn:aws:logs:{region}:{ACCOUNT}:log-group:{label}",
    }
    special = {
        ("aws_caller_identity", "account_id"): ACCOUNT,
        ("aws_partition", "partition"): "aws",
        ("aws_region", "region"): region,
        ("aws_sqs_queue", "url"): f"https://sqs.{region}.amazonaws.com/{ACCOUNT}/{label}",
        ("aws_sqs_queue", "id"): f"https://sqs.{region}.amazonaws.com/{ACCOUNT}/{label}",
        ("aws_instance", "private_dns"): f"ip-10-20-1-10.{region}.compute.internal",
        ("aws_s3_bucket", "bucket_regional_domain_name"): f"{label}.s3.{region}.amazonaws.com",
        ("aws_s3_bucket", "id"): label,
        ("aws_cognito_user_pool", "endpoint"): f"cognito-idp.{region}.amazonaws.com/{region}_{number[-9:]}",
        ("aws_iam_role", "id"): label,
        ("aws_instance", "id"): f"i-{number}",
        ("aws_ebs_volume", "id"): f"vol-{number}",
        ("archive_file", "output_base64sha256"): "c2hhMjU2",
        ("aws_acm_certificate", "domain_validation_options"): [
            {
                "domain_name": values.get("domain_name"),
                "resource_record_name": "_x.example.org",
                "resource_record_type": "CNAME",
                "resource_record_value": "_y.acm-validations.aws",
            }
        ],
    }
    if (kind, name) in special:
        return special[kind, name]
    if name == "arn":
        return arns.get(kind, f"arn:aws:{kind}:{region}:{ACCOUNT}:{label or number}")
    if attribute["type"] == "string":
        return region if name == "region" else f"{kind}-{name}-{number}"
    return {"number": 0, "bool": False}.get(attribute["type"] if isinstance(attribute["type"], str) else "", None)


def wrap(attribute, value):
    if attribute["type"] == "dynamic" and value is not None:
        return [json.dumps("string").encode(), value]
    return value


class Provider:
    def __init__(self, schema):
        self.schema = schema
        self.region = "eu-central-1"

    def GetSchema(self, request):
        out = field(1, field(2, block(self.schema["provider"])))
        for number, kinds in ((2, "resources"), (3, "data")):
            for name, entry in self.schema[kinds].items():
                out += field(number, field(1, name) + field(2, field(2, block(entry))))
        return out

    def PrepareProviderConfig(self, request):
        return field(1, request[1])

    def ValidateResourceTypeConfig(self, request):
        return b""

    ValidateDataSourceConfig = ValidateResourceTypeConfig

    def Configure(self, request):
        region = undynamic(request[2]).get("region")
        if isinstance(region, str):
            self.region = region
        return b""

    def ReadResource(self, request):
        return field(1, request[2])

    def UpgradeResourceState(self, request):
        return field(1, field(2, fields(request[3])[1]))

    def PlanResourceChange(self, request):
        kind, planned = request[1].decode(), undynamic(request[3])
        if planned is not None:
            for attribute in self.schema["resources"][kind]["attributes"]:
                if attribute.get("computed") and planned.get(attribute["name"]) is None:
                    planned[attribute["name"]] = UNKNOWN
        return field(1, dynamic(planned))

    def ApplyResourceChange(self, request):
        kind, planned = request[1].decode(), undynamic(request[3])
        if planned is not None:
            self.complete(kind, self.schema["resources"][kind], planned)
        return field(1, dynamic(planned))

    def ReadDataSource(self, request):
        kind, values = request[1].decode(), undynamic(request[2])
        self.complete(kind, self.schema["data"][kind], values, data=True)
        return field(1, dynamic(values))

    def complete(self, kind, schema, values, data=False):
        for attribute in schema["attributes"]:
            value = values.get(attribute["name"])
            if value is None or isinstance(value, msgpack.ExtType):
                if attribute.get("computed") or data and isinstance(value, msgpack.ExtType):
                    values[attribute["name"]] = wrap(attribute, invent(kind, attribute, values, self.region))

    def Stop(self, request):
        return b""


class Handler(grpc.GenericRpcHandler):
    def __init__(self, provider, end):
        self.provider, self.end = provider, end

    def service(self, details):
        service, method = details.method.rsplit("/", 1)
        if service == "/plugin.GRPCController":
            return grpc.unary_unary_rpc_method_handler(lambda request, context: self.end.set() or b"")
        if service != "/tfplugin5.Provider" or not hasattr(self.provider, method):
            return None
        return grpc.unary_unary_rpc_method_handler(
            lambda request, context: getattr(self.provider, method)(fields(request))
        )


def main():
    if "TF_PLUGIN_MAGIC_COOKIE" not in os.environ:
        sys.exit("Terraform starts this")
    with open(os.environ["STUB_SCHEMA"] + "." + os.path.basename(sys.argv[1]) + ".json") as file:
        schema = json.load(file)
    end = threading.Event()
    # Terraform gets the signals of a terminal too, and ends this itself.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    server = grpc.server(
        futures.ThreadPoolExecutor(8),
        options=[("grpc.max_receive_message_length", 64 << 20), ("grpc.max_send_message_length", 64 << 20)],
    )
    server.add_generic_rpc_handlers((Handler(Provider(schema), end),))
    with tempfile.TemporaryDirectory() as folder:
        path = folder + "/p"
        server.add_insecure_port("unix:" + path)
        server.start()
        print(f"1|5|unix|{path}|grpc", flush=True)
        end.wait(300)
        server.stop(0.5).wait()


main()
