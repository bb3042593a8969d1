"""What the page does in a sign-in, for tests: PKCE, the way to the provider and back, and the call of the server."""

import base64
import hashlib
import http.client
import json
import secrets
import urllib.parse


def encode(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def request(method, url, body=None, headers=None):
    """One request without redirects: status, headers in lower case, body."""
    parts = urllib.parse.urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=60)
    target = parts.path + ("?" + parts.query if parts.query else "")
    if isinstance(body, (dict, list)):
        body, headers = json.dumps(body), {"content-type": "application/json", **(headers or {})}
    connection.request(method, target, body=body, headers=headers or {})
    answer = connection.getresponse()
    data = answer.read()
    connection.close()
    return answer.status, {name.lower(): value for name, value in answer.getheaders()}, data


class SignIn:
    """A sign-in of a page at `redirect`."""

    def __init__(self, client, redirect, scope="openid profile"):
        self.verifier, self.state, self.nonce = (secrets.token_urlsafe(48) for _ in range(3))
        self.client, self.redirect, self.scope = client, redirect, scope

    def address(self, authorize):
        """Where the page sends the person."""
        challenge = encode(hashlib.sha256(self.verifier.encode()).digest())
        return authorize + "?" + urllib.parse.urlencode({
            "response_type": "code", "client_id": self.client, "redirect_uri": self.redirect, "scope": self.scope,
            "state": self.state, "nonce": self.nonce, "code_challenge": challenge, "code_challenge_method": "S256"})

    def code(self, location):
        """The code in the address to which the provider sends the person back."""
        assert location.startswith(self.redirect), location
        query = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(location).query))
        assert query.get("state") == self.state, location
        return query["code"]

    def body(self, code, **changes):
        body = {"code": code, "verifier": self.verifier, "redirectUri": self.redirect, "nonce": self.nonce}
        body.update(changes)
        return body

    def post(self, server, code, **changes):
        """The call of the server: its status and answer."""
        status, _, data = request("POST", server + "/api/oidc", self.body(code, **changes))
        return {"status": status, "answer": json.loads(data)}
