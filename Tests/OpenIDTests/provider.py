"""A small OpenID provider without CORS headers, for tests: everybody is signed in at once, as the user that the test names.

Writes {"issuer", "keys"} first. Reads a question as a line of JSON and answers each by a line: {"user": CLAIMS} names who signs in
next; {"rotate": true} makes another key; {"faults": {PATH: {"status"?, "location"?, "size"?, "hold"?}}} has paths fail, or wait until
the next faults; {"sign":
{"claims", "header"?}} signs a token; {"counts": true} counts the requests by path; {"sign in": {"server", "redirect", "tabs"?, …}}
signs in as the page does; {"authorize":
{…}} makes a code as /authorize does. It ends when standard input is closed.
"""

import base64
import hashlib
import http.server
import json
import secrets
import sys
import threading
import time
import urllib.parse

sys.path.insert(0, __file__.rpartition("/")[0])
import openid_page
from joserfc import jwk, jwt

CLIENT, SECRET = "crowbar", "s3cret+/= ä"
keys, codes, faults, counts = [], {}, {}, {}
held = threading.Event()
user = {"sub": "u-1", "name": "Ann"}


def rotate():
    keys.append(jwk.RSAKey.generate_key(2048, {"kid": f"k{len(keys)}", "use": "sig", "alg": "RS256"}))
    del keys[:-1]


def sign(claims, header=None):
    now = int(time.time())
    claims = {"iss": issuer, "aud": CLIENT, "iat": now, "exp": now + 300, **claims}
    claims = {name: value for name, value in claims.items() if value is not None}
    return jwt.encode({"alg": "RS256", "kid": keys[-1].kid, **(header or {})}, claims, keys[-1])


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, status, body, headers=()):
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        for name, value in [("content-length", str(len(data))), *headers]:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def fault(self, path):
        """What is wrong with a path, once that is known."""
        fault = faults.get(path)
        if fault and fault.get("hold"):
            held.wait(60)
            return None
        return fault

    def do_GET(self):
        path, _, query = self.path.partition("?")
        counts[path] = counts.get(path, 0) + 1
        fault = self.fault(path)
        if fault:
            headers = [("location", fault["location"])] if "location" in fault else []
            return self.answer(fault.get("status", 200), b"{" * fault.get("size", 1), headers)
        if path == "/.well-known/openid-configuration":
            return self.answer(200, {
                "issuer": issuer, "authorization_endpoint": issuer + "/authorize", "token_endpoint": issuer + "/token",
                "jwks_uri": issuer + "/keys", "end_session_endpoint": issuer + "/end"})
        if path in ("/keys", "/moved-keys"):
            return self.answer(200, {"keys": [key.as_dict(private=False) for key in keys]})
        if path == "/authorize":
            asked = dict(urllib.parse.parse_qsl(query))
            code = secrets.token_urlsafe(16)
            codes[code] = {**asked, "user": dict(user)}
            return self.answer(302, b"", [("location", asked["redirect_uri"] + "?" + urllib.parse.urlencode(
                {"code": code, "state": asked["state"]}))])
        self.answer(404, {"error": "not_found"})

    def do_POST(self):
        counts[self.path] = counts.get(self.path, 0) + 1
        form = dict(urllib.parse.parse_qsl(self.rfile.read(int(self.headers["content-length"])).decode()))
        fault = self.fault(self.path)
        if fault:
            return self.answer(fault.get("status", 200), b"{" * fault.get("size", 1))
        pair = base64.b64decode(self.headers.get("authorization", "Basic ")[6:]).decode().partition(":")
        if (urllib.parse.unquote_plus(pair[0]), urllib.parse.unquote_plus(pair[2])) != (CLIENT, SECRET):
            return self.answer(401, {"error": "invalid_client"})
        asked = codes.pop(form.get("code"), None)
        challenge = openid_page.encode(hashlib.sha256(form.get("code_verifier", "").encode()).digest())
        if not asked or asked["code_challenge"] != challenge or asked["redirect_uri"] != form.get("redirect_uri"):
            return self.answer(400, {"error": "invalid_grant"})
        token = sign({"nonce": asked["nonce"], **asked["user"]})
        self.answer(200, {"id_token": token, "access_token": "opaque", "token_type": "Bearer"})

    def log_message(self, *_):
        pass


def sign_in(question):
    """Signs in by as many tabs at once as wanted; the answers of the server."""
    answers = []

    def tab():
        page = openid_page.SignIn(question.get("client", CLIENT), question["redirect"])
        _, headers, _ = openid_page.request("GET", page.address(issuer + "/authorize"))
        code = page.code(headers["location"])
        for _ in range(question.get("times", 1)):
            answers.append(page.post(question["server"], code, **question.get("changes", {})))

    tabs = [threading.Thread(target=tab) for _ in range(question.get("tabs", 1))]
    for thread in tabs:
        thread.start()
    for thread in tabs:
        thread.join()
    return answers


def ask(question):
    if "user" in question:
        user.clear()
        user.update(question["user"])
    if "rotate" in question:
        rotate()
    if "faults" in question:
        faults.clear()
        faults.update(question["faults"])
        global held
        held.set()
        held = threading.Event()
    if "sign" in question:
        return {"token": sign(question["sign"]["claims"], question["sign"].get("header"))}
    if "authorize" in question:
        code = secrets.token_urlsafe(16)
        codes[code] = {**question["authorize"], "user": dict(user)}
        return {"code": code}
    if "sign in" in question:
        return {"answers": sign_in(question["sign in"])}
    return {"counts": counts}


rotate()
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
issuer = f"http://127.0.0.1:{server.server_port}"
threading.Thread(target=server.serve_forever, daemon=True).start()
print(json.dumps({"issuer": issuer, "secret": SECRET}), flush=True)
for line in sys.stdin:
    print(json.dumps(ask(json.loads(line))), flush=True)
