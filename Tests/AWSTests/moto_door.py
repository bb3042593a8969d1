"""What the doors before moto's servers share: a request's headers, and whether botocore would have signed it just so."""

from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials


def headers_of(environ):
    headers = {k[5:].replace("_", "-").lower(): v for k, v in environ.items() if k.startswith("HTTP_")}
    if environ.get("CONTENT_TYPE"):
        headers["content-type"] = environ["CONTENT_TYPE"]
    return headers


def is_signed(signer, secret, method, target, headers, body):
    """Whether botocore's signer would have signed the request just so. `secret` gives the secret of an access key, or None."""
    try:
        fields = dict(part.split("=", 1) for part in headers["authorization"].split(" ", 1)[1].split(", "))
        key, date, region, service, _ = fields["Credential"].split("/")
        request = AWSRequest(method=method, url=f"http://{headers['host']}{target}", data=body)
        for name in fields["SignedHeaders"].split(";"):
            request.headers[name] = headers[name]
        request.context["timestamp"] = headers["x-amz-date"]
        own = signer(Credentials(key, secret(key)), service, region)
        text = own.string_to_sign(request, own.canonical_request(request))
        return own.signature(text, request) == fields["Signature"] and date == headers["x-amz-date"][:8]
    except (KeyError, ValueError, IndexError, AttributeError):
        return False
