"""Judges what the modules promise of AWS: the evaluated policies, and queues and bucket in moto.

What is judged comes from Terraform's state after an apply with stubs (terraform_judge.py apply): the very arguments that
AWS would get.
"""

import base64
import gzip
import json
import os
import re
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.abspath(HERE + "/../../..")
sys.path.insert(0, HERE)
os.environ.update(AWS_ACCESS_KEY_ID="AKIATEST", AWS_SECRET_ACCESS_KEY="test", AWS_DEFAULT_REGION="eu-central-1")

from policies import allows

HOST = "arn:aws:iam::123456789012:role/crowbar"
FAR = "arn:aws:iam::210987654321:role/crowbar"
OTHER = "arn:aws:iam::999999999999:role/other"
checked = 0


def expect(condition, what):
    global checked
    checked += 1
    if not condition:
        sys.exit(f"not so: {what}")


class State:
    def __init__(self, values):
        self.resources, self.outputs = values["resources"], values["outputs"]

    def all(self, kind):
        return {r["address"]: r["values"] for r in self.resources if r["type"] == kind and r["mode"] == "managed"}

    def one(self, address):
        found = [r["values"] for r in self.resources if r["address"] == address]
        expect(len(found) == 1, f"{address} is in the state")
        return found[0]


def states():
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(
            [ROOT + "/.build/test-deploy/bin/python", "-I", HERE + "/terraform_judge.py", "apply", folder + "/state"],
            check=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            timeout=300,
        )
        with open(folder + "/state") as file:
            return {name: State(values) for name, values in json.load(file).items()}


def policies(state):
    example, far = state["example"], state["queues"]
    role = [p["policy"] for p in example.all("aws_iam_role_policy").values() if p["role"] == "crowbar"]
    expect(len(role) == 3, "the host's role has the policies start, publish and events")
    topic = example.one("module.queues.aws_sns_topic.events")["arn"]
    bucket = example.one("module.site.aws_s3_bucket.site")["arn"]
    key = example.one("module.queues.aws_kms_key.topic")["arn"]
    views = bucket + "/views/messages/general.json"
    function = "arn:aws:lambda:eu-central-1:123456789012:function:clock"
    for action, resource, isAllowed in [
        ("sns:Publish", topic, True),
        ("sns:Publish", topic + "x", False),
        ("sns:Subscribe", topic, False),
        ("sns:DeleteTopic", topic, False),
        ("kms:GenerateDataKey", key, True),
        ("kms:Decrypt", key, True),
        ("kms:ScheduleKeyDeletion", key, False),
        ("kms:Decrypt", key + "x", False),
        ("lambda:InvokeFunction", function, True),
        ("lambda:InvokeFunction", function + "x", False),
        ("lambda:UpdateFunctionCode", function, False),
        ("s3:ListBucket", bucket, True),
        ("s3:GetObject", views, True),
        ("s3:PutObject", views, True),
        ("s3:DeleteObject", views, True),
        ("s3:PutObject", bucket + "/index.html", False),
        ("s3:DeleteObject", bucket + "/p/x/app.js", False),
        ("s3:PutBucketPolicy", bucket, False),
        ("s3:GetObject", "arn:aws:s3:::chat-example-releases/crowbar.tar.gz", True),
        ("s3:PutObject", "arn:aws:s3:::chat-example-releases/crowbar.tar.gz", False),
        ("s3:GetObject", "arn:aws:s3:::chat-example-releases/other", False),
        ("ssm:GetParameter", "arn:aws:ssm:eu-central-1:123456789012:parameter/crowbar/oidc.secret", True),
        ("ssm:GetParameter", "arn:aws:ssm:eu-central-1:123456789012:parameter/other", False),
        ("ssm:PutParameter", "arn:aws:ssm:eu-central-1:123456789012:parameter/crowbar/oidc.secret", False),
    ]:
        expect(
            allows(role, action, resource) == isAllowed,
            f"the host's role: {action} of {resource} is {'allowed' if isAllowed else 'denied'}",
        )

    # Queues: SNS from this topic may send, a reader of another account may receive, nobody else may do anything.
    for name, reader in (("archive", None), ("search", "arn:aws:iam::210987654321:role/indexer")):
        queue = example.one(f'module.queues.aws_sqs_queue.events["{name}"]')["arn"]
        policy = [example.one(f'module.queues.aws_sqs_queue_policy.events["{name}"]')["policy"]]
        expect(
            allows(policy, "sqs:SendMessage", queue, service="sns.amazonaws.com", aws_SourceArn=topic),
            f"the topic sends to {name}",
        )
        expect(
            not allows(policy, "sqs:SendMessage", queue, service="sns.amazonaws.com", aws_SourceArn=topic + "x"),
            f"another topic does not send to {name}",
        )
        expect(
            not allows(policy, "sqs:SendMessage", queue, service="sns.amazonaws.com"),
            f"SNS without a topic does not send to {name}",
        )
        expect(
            not allows(
                policy,
                "sqs:SendMessage",
                queue,
                service="sns.amazonaws.com",
                aws_SourceArn=topic,
                aws_SecureTransport="false",
            ),
            "nothing without TLS",
        )
        for who in (OTHER, FAR, "arn:aws:iam::210987654321:role/indexer"):
            for action in (
                "sqs:ReceiveMessage",
                "sqs:DeleteMessage",
                "sqs:SendMessage",
                "sqs:PurgeQueue",
                "sqs:SetQueueAttributes",
            ):
                # The reader is an account: which of its roles reads is up to it.
                isAllowed = (
                    reader is not None
                    and "210987654321" in who
                    and action in ("sqs:ReceiveMessage", "sqs:DeleteMessage")
                )
                expect(
                    allows(policy, action, queue, principal=who) == isAllowed,
                    f"{who}: {action} of {name} is {'allowed' if isAllowed else 'denied'}",
                )
        dead = example.one(f'module.queues.aws_sqs_queue.dead["{name}"]')["arn"]
        policy = [example.one(f'module.queues.aws_sqs_queue_policy.dead["{name}"]')["policy"]]
        expect(
            allows(policy, "sqs:SendMessage", dead, service="sns.amazonaws.com", aws_SourceArn=topic),
            f"what SNS cannot deliver goes to {name}-dead",
        )
        expect(not allows(policy, "sqs:ReceiveMessage", dead, principal=OTHER), "nobody else reads dead letters")

    # A topic for another account's Crowbar.
    topic = far.one("aws_sns_topic.events")["arn"]
    policy, keyPolicy = [far.one("aws_sns_topic_policy.events")["policy"]], [far.one("aws_kms_key.topic")["policy"]]
    key = far.one("aws_kms_key.topic")["arn"]
    expect(allows(policy, "sns:Publish", topic, principal=FAR), "the other account's role publishes")
    expect(not allows(policy, "sns:Publish", topic, principal=FAR, aws_SecureTransport="false"), "not without TLS")
    expect(not allows(policy, "sns:Subscribe", topic, principal=FAR), "it does not subscribe")
    expect(
        not allows(policy, "sns:Publish", topic, principal=FAR + "2"), "another role of that account does not publish"
    )
    expect(not allows(policy, "sns:Publish", topic, principal=OTHER), "another account does not publish")
    expect(allows(keyPolicy, "kms:GenerateDataKey", key, principal=FAR), "it encrypts")
    expect(not allows(keyPolicy, "kms:PutKeyPolicy", key, principal=FAR), "it does not administrate the key")
    expect(not allows(keyPolicy, "kms:Decrypt", key, principal=OTHER), "another account does not use the key")

    # The bucket: this distribution reads, nobody else does.
    policy = [example.one("module.site.aws_s3_bucket_policy.site")["policy"]]
    distribution = example.one("module.site.aws_cloudfront_distribution.site")["arn"]
    for resource, action in ((views, "s3:GetObject"), (bucket, "s3:ListBucket")):
        expect(
            allows(policy, action, resource, service="cloudfront.amazonaws.com", aws_SourceArn=distribution),
            f"CloudFront: {action}",
        )
        expect(
            not allows(policy, action, resource, service="cloudfront.amazonaws.com", aws_SourceArn=distribution + "X"),
            f"another distribution: {action}",
        )
        expect(not allows(policy, action, resource, principal=OTHER), f"another account: {action}")
        expect(
            not allows(
                policy,
                action,
                resource,
                service="cloudfront.amazonaws.com",
                aws_SourceArn=distribution,
                aws_SecureTransport="false",
            ),
            f"not without TLS: {action}",
        )
    expect(
        not allows(policy, "s3:PutObject", views, service="cloudfront.amazonaws.com", aws_SourceArn=distribution),
        "CloudFront does not write",
    )
    expect(not allows(policy, "s3:GetObject", views, principal=OTHER), "the bucket is private")


def settings(state):
    """What is promised in prose: the distribution's behaviours, the volume, the user data, the function."""
    example = state["example"]
    site = example.one("module.site.aws_cloudfront_distribution.site")
    origins = {o["origin_id"]: o for o in site["origin"]}
    expect(set(origins) == {"bucket", "host"}, "there are two origins")
    expect(
        origins["host"]["vpc_origin_config"][0]["origin_read_timeout"] == 60,
        "CloudFront waits 60 s, four heartbeats of an event stream",
    )
    behaviours = {b["path_pattern"]: b for b in site["ordered_cache_behavior"]}
    expect(
        {p: b["target_origin_id"] for p, b in behaviours.items()}
        == {"/api/*": "host", "/hooks/*": "host", "/views/*": "bucket"},
        "the behaviours",
    )
    cached = {b["cache_policy_id"] for b in behaviours.values()}
    disabled = example.one("module.site.data.aws_cloudfront_cache_policy.disabled")
    expect(
        disabled["name"] == "Managed-CachingDisabled" and cached == {disabled["id"]},
        "nothing of the API, hooks and views is cached",
    )
    expect(not behaviours["/api/*"]["compress"], "event streams are not compressed")
    expect({"POST", "PATCH", "DELETE"} <= set(behaviours["/api/*"]["allowed_methods"]), "the API's methods pass")
    with open(ROOT + "/Sources/CrowbarHTTP/PageRoute.swift") as file:
        source = file.read()
    written = "".join(
        line.strip().lstrip("+ ").strip('"') for line in source.split("policy =\n")[1].split("\n\n")[0].splitlines()
    )
    headers = example.one("module.site.aws_cloudfront_response_headers_policy.page")["security_headers_config"][0]
    expect(
        headers["content_security_policy"][0]["content_security_policy"] == written,
        f"the page's policy is the server's: {written}",
    )

    index = example.one("module.site.aws_s3_object.index")["content"]
    keys = {o["key"] for o in example.all("aws_s3_object").values()}
    named = re.findall(r'(?:href|src)="(p/[^"]+)"', index)
    expect(named and set(named) <= keys and "{{" not in index, f"what the page names is in the bucket: {named}")

    host = example.one("module.host.aws_instance.host")
    expect(
        not host["associate_public_ip_address"] and host["metadata_options"][0]["http_tokens"] == "required",
        "no public address, IMDSv2 only",
    )
    data = base64.b64decode(host["user_data_base64"])
    expect(len(data) <= 16384, f"user data has {len(data)} bytes; EC2 accepts 16384")
    script = gzip.decompress(data).decode()
    for command in (["bash", "-n", "/dev/stdin"], ["shellcheck", "-s", "bash", "-"]):
        ended = subprocess.run(command, input=script, text=True, capture_output=True, timeout=60)
        expect(ended.returncode == 0, f"{command[0]}: {ended.stdout}{ended.stderr}")
    secret = example.one("module.identity.aws_cognito_user_pool_client.crowbar")["client_secret"]
    expect(secret and secret not in script, "the client's secret is not in the user data")
    expect("IPAddressDeny=169.254.169.254" in script, "Crowbar and its plugins do not reach the metadata service")

    function = example.one("module.identity.aws_lambda_function.hook[0]")
    pool = example.one("module.identity.aws_cognito_user_pool.users")
    expect(pool["lambda_config"][0]["post_confirmation"] == function["arn"], "the pool calls the function")
    expect(function["handler"] == "handler.handler" and function["timeout"] == 5, "the function's handler and time")
    permission = example.one("module.identity.aws_lambda_permission.hook[0]")
    expect(permission["source_arn"] == pool["arn"], "only this pool calls it")
    bare = state["identity"]
    expect(
        not bare.all("aws_lambda_function") and not bare.one("aws_cognito_user_pool.users")["lambda_config"],
        "no function without a hook",
    )
    mapping = example.all("aws_lambda_event_source_mapping")
    expect(
        [m["function_name"] for m in mapping.values()] == ["arn:aws:lambda:eu-central-1:123456789012:function:search"],
        "the queue's function is called",
    )


def messages(state):
    import boto3
    from moto import mock_aws

    example = state["example"]
    with mock_aws():
        sns, sqs = boto3.client("sns"), boto3.client("sqs")
        urls, names = {}, {}
        for address, values in sorted(example.all("aws_sqs_queue").items(), key=lambda item: "dead" not in item[0]):
            attributes = {
                "FifoQueue": values["fifo_queue"],
                "ContentBasedDeduplication": values["content_based_deduplication"],
                "DeduplicationScope": values["deduplication_scope"],
                "FifoThroughputLimit": values["fifo_throughput_limit"],
                "MessageRetentionPeriod": values["message_retention_seconds"],
                "VisibilityTimeout": values["visibility_timeout_seconds"],
                "RedrivePolicy": values["redrive_policy"],
                "SqsManagedSseEnabled": values["sqs_managed_sse_enabled"],
            }
            made = sqs.create_queue(
                QueueName=values["name"], Attributes={k: text(v) for k, v in attributes.items() if v is not None}
            )
            urls[values["url"]] = made["QueueUrl"]
            names[values["name"]] = made["QueueUrl"]
            arn = sqs.get_queue_attributes(QueueUrl=made["QueueUrl"], AttributeNames=["QueueArn"])["Attributes"][
                "QueueArn"
            ]
            expect(arn == values["arn"], f"{address} has the ARN that its policies name")
        for values in example.all("aws_sqs_queue_policy").values():
            sqs.set_queue_attributes(QueueUrl=urls[values["queue_url"]], Attributes={"Policy": values["policy"]})
        for values in example.all("aws_sqs_queue_redrive_allow_policy").values():
            sqs.set_queue_attributes(
                QueueUrl=urls[values["queue_url"]], Attributes={"RedriveAllowPolicy": values["redrive_allow_policy"]}
            )
        values = example.one("module.queues.aws_sns_topic.events")
        topic = sns.create_topic(
            Name=values["name"],
            Attributes={
                "FifoTopic": text(values["fifo_topic"]),
                "ContentBasedDeduplication": text(values["content_based_deduplication"]),
                "FifoThroughputScope": values["fifo_throughput_scope"],
                "KmsMasterKeyId": values["kms_master_key_id"],
            },
        )["TopicArn"]
        expect(topic == values["arn"], "the topic has the ARN that the policies name")
        sns.set_topic_attributes(
            TopicArn=topic,
            AttributeName="Policy",
            AttributeValue=example.one("module.queues.aws_sns_topic_policy.events")["policy"],
        )
        for values in example.all("aws_sns_topic_subscription").values():
            attributes = {
                "RawMessageDelivery": text(values["raw_message_delivery"]),
                "FilterPolicyScope": values["filter_policy_scope"],
                "FilterPolicy": values["filter_policy"],
                "RedrivePolicy": values["redrive_policy"],
            }
            sns.subscribe(
                TopicArn=topic,
                Protocol=values["protocol"],
                Endpoint=values["endpoint"],
                Attributes={k: v for k, v in attributes.items() if v is not None},
            )

        # As crowbar-aws publishes: the event as the body, the channel as the group, the eventId against duplicates.
        events = [
            {"eventId": f"e{n}", "type": kind, "channelId": f"c{n % 2}", "message": f"text {n}"}
            for n, kind in enumerate(
                ["MESSAGE_SENT", "CHANNEL_JOINED", "MESSAGE_EDITED", "MESSAGE_SENT", "TOPIC_CHANGED", "MESSAGE_SENT"]
            )
        ]
        for event in events + events[:2]:
            sns.publish(
                TopicArn=topic,
                Message=json.dumps(event),
                MessageGroupId=event["channelId"],
                MessageDeduplicationId=event["eventId"],
            )
        for name, expected in (
            ("archive", events),
            ("search", [e for e in events if e["type"] in ("MESSAGE_SENT", "MESSAGE_EDITED")]),
        ):
            got = receive(sqs, names[f"crowbar-{name}.fifo"])
            for channel in ("c0", "c1"):
                expect(
                    [e for e in got if e["channelId"] == channel] == [e for e in expected if e["channelId"] == channel],
                    f"{name} gets the events of {channel} in order, once, and no others: {got}",
                )

        # What a receiver fails at five times becomes a dead letter.
        bad = events[0] | {"eventId": "bad"}
        sns.publish(TopicArn=topic, Message=json.dumps(bad), MessageGroupId="c0", MessageDeduplicationId="bad")
        queue, dead = names["crowbar-archive.fifo"], names["crowbar-archive-dead.fifo"]
        for _ in range(5):
            batch = sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=0).get("Messages", [])
            expect(len(batch) == 1, "the message comes again")
            sqs.change_message_visibility(QueueUrl=queue, ReceiptHandle=batch[0]["ReceiptHandle"], VisibilityTimeout=0)
        expect(
            not sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=0).get("Messages"), "it does not come a sixth time"
        )
        expect(receive(sqs, dead) == [bad], "it is a dead letter")


def text(value):
    return str(value).lower() if isinstance(value, bool) else str(value)


def receive(sqs, url):
    found = []
    while batch := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=0).get("Messages"):
        for message in batch:
            found.append(json.loads(message["Body"]))
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    return found


def bucket(state):
    """The bucket with its settings in moto, which enforces the role's policies for each call."""
    import boto3
    from botocore.exceptions import ClientError
    from moto import mock_aws
    from moto.core import set_initial_no_auth_action_count

    example = state["example"]
    with mock_aws():
        s3, iam, sts = boto3.client("s3"), boto3.client("iam"), boto3.client("sts")
        values = example.one("module.site.aws_s3_bucket.site")
        name = values["bucket"]
        s3.create_bucket(
            Bucket=name,
            CreateBucketConfiguration={"LocationConstraint": "eu-central-1"},
            ObjectOwnership="BucketOwnerEnforced",
        )
        block = example.one("module.site.aws_s3_bucket_public_access_block.site")
        s3.put_public_access_block(
            Bucket=name,
            PublicAccessBlockConfiguration={
                "BlockPublicAcls": block["block_public_acls"],
                "BlockPublicPolicy": block["block_public_policy"],
                "IgnorePublicAcls": block["ignore_public_acls"],
                "RestrictPublicBuckets": block["restrict_public_buckets"],
            },
        )
        expect(
            all(s3.get_public_access_block(Bucket=name)["PublicAccessBlockConfiguration"].values()),
            "all public access is blocked",
        )
        s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
        s3.put_object(Bucket=name, Key="index.html", Body=b"page")
        role = example.one("module.host.aws_iam_role.host")
        iam.create_role(RoleName=role["name"], AssumeRolePolicyDocument=role["assume_role_policy"])
        for policy in example.all("aws_iam_role_policy").values():
            if policy["role"] == role["name"]:
                iam.put_role_policy(RoleName=policy["role"], PolicyName=policy["name"], PolicyDocument=policy["policy"])
        keys = sts.assume_role(RoleArn=role["arn"], RoleSessionName="test")["Credentials"]
        mine = boto3.client(
            "s3",
            aws_access_key_id=keys["AccessKeyId"],
            aws_secret_access_key=keys["SecretAccessKey"],
            aws_session_token=keys["SessionToken"],
        )

        @set_initial_no_auth_action_count(0)
        def publish():
            first = mine.put_object(
                Bucket=name,
                Key="views/messages/general.json",
                Body=b"[]",
                IfNoneMatch="*",
                Metadata={"crowbar-position": "1"},
            )
            expect(
                refused(
                    lambda: mine.put_object(Bucket=name, Key="views/messages/general.json", Body=b"x", IfNoneMatch="*")
                )
                == "PreconditionFailed",
                "an object that exists is not made twice",
            )
            mine.put_object(
                Bucket=name,
                Key="views/messages/general.json",
                Body=b"[1]",
                IfMatch=first["ETag"],
                Metadata={"crowbar-position": "2"},
            )
            head = mine.head_object(Bucket=name, Key="views/messages/general.json")
            expect(head["Metadata"] == {"crowbar-position": "2"}, "the position is kept")
            expect(
                refused(lambda: mine.head_object(Bucket=name, Key="views/none.json")) == "404",
                "an object that does not exist is 404",
            )
            listed = [o["Key"] for o in mine.list_objects_v2(Bucket=name, Prefix="views/")["Contents"]]
            expect(listed == ["views/messages/general.json"], "the views are listed")
            mine.delete_object(Bucket=name, Key="views/messages/general.json")
            for call in (
                lambda: mine.put_object(Bucket=name, Key="index.html", Body=b"x"),
                lambda: mine.delete_object(Bucket=name, Key="index.html"),
                lambda: mine.put_bucket_policy(Bucket=name, Policy="{}"),
                lambda: mine.delete_bucket(Bucket=name),
            ):
                expect(refused(call) == "AccessDenied", "the role changes the views and nothing else")

        def refused(call):
            try:
                call()
            except ClientError as error:
                return error.response["Error"]["Code"]
            return None

        publish()


def main():
    state = states()
    for judge in (policies, settings, messages, bucket):
        judge(state)
    print(f"judged: {checked}")


main()
