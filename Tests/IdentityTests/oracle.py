"""Signs and verifies tokens by the package joserfc, for tests.

It makes one key of each type and writes {"ready": true, "jwks": …}. Then it reads a question as a line of JSON from standard
input and answers each by a line on standard output: {"sign": {"key", "header", "claims"}} by {"token": …}, {"verify": {"token",
"issuer", "audience", "now"}} by {"accepted": BOOL, "why"?}. It ends when standard input is closed.
"""

import base64
import hmac
import json
import sys

from joserfc import jwk, jws, jwt

keys = {
    "rsa": jwk.RSAKey.generate_key(2048, {"kid": "rsa", "use": "sig", "alg": "RS256"}),
    "rsa2": jwk.RSAKey.generate_key(3072, {"kid": "rsa2", "use": "sig"}),
    "ec": jwk.ECKey.generate_key("P-256", {"kid": "ec", "use": "sig", "alg": "ES256"}),
    "ed": jwk.OKPKey.generate_key("Ed25519", {"kid": "ed", "use": "sig", "alg": "EdDSA"}),
    "encryption": jwk.RSAKey.generate_key(2048, {"kid": "encryption", "use": "enc"}),
    # Not in the set.
    "other-rsa": jwk.RSAKey.generate_key(2048),
    "other-ec": jwk.ECKey.generate_key("P-256"),
    "other-ed": jwk.OKPKey.generate_key("Ed25519"),
    "secret": jwk.OctKey.import_key("0" * 64),
}
published = [keys[name].as_dict(private=False) for name in ("rsa", "rsa2", "ec", "ed", "encryption")]
key_set = jwk.KeySet.import_key_set({"keys": published})


def encode(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def sign(question):
    """Signs any header, also one that joserfc would not write. "pem of NAME" as a key: a public key in PEM, as a secret."""
    header, name = question["header"], question["key"]
    message = b".".join(encode(json.dumps(part).encode()) for part in (header, question["claims"]))
    if header["alg"] == "none":
        signature = b""
    elif name.startswith("pem of "):
        secret = keys[name.removeprefix("pem of ")].as_pem(private=False)
        signature = hmac.digest(secret, message, "sha256")
    else:
        signature = jws.JWSRegistry.algorithms[header["alg"]].sign(message, keys[name])
    return {"token": (message + b"." + encode(signature)).decode()}


def verify(question):
    now = question["now"]
    rules = jwt.JWTClaimsRegistry(
        now=lambda: now, leeway=60, exp={"essential": True}, iss={"essential": True, "value": question["issuer"]},
        aud={"essential": True, "value": question["audience"]}, sub={"essential": True})
    try:
        registry = jws.JWSRegistry(algorithms=["RS256", "ES256", "EdDSA"], strict_check_header=False)
        token = jwt.decode(question["token"], key_set, algorithms=["RS256", "ES256", "EdDSA"], registry=registry)
        rules.validate(token.claims)
        return {"accepted": True}
    except Exception as error:
        return {"accepted": False, "why": f"{type(error).__name__}: {error}"}


def main():
    print(json.dumps({"ready": True, "jwks": {"keys": published}}), flush=True)
    for line in sys.stdin:
        question = json.loads(line)
        try:
            answer = sign(question["sign"]) if "sign" in question else verify(question["verify"])
        except Exception as error:
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), flush=True)


main()
