"""Runs Glewlwyd, an OpenID provider, with a database of its own, and signs in there as a person with a browser does.

Arguments: a folder, the address of the page. Writes {"issuer", "client", "secret"} first. Reads {"sign in": {"server"}} and answers by
the server's {"status", "answer"}. It ends when standard input is closed, and ends Glewlwyd.
"""

import json
import secrets
import socket
import sqlite3
import subprocess
import sys
import time

sys.path.insert(0, __file__.rpartition("/")[0])
import openid_page
from joserfc import jwk

FOLDER, REDIRECT = sys.argv[1], sys.argv[2]
CLIENT, SECRET = "crowbar", secrets.token_hex(16)
INSTALL = "/usr/share/dbconfig-common/data/glewlwyd/install/sqlite3"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


port = free_port()
base = f"http://localhost:{port}"
issuer = base + "/api/oidc"


def configure():
    database = sqlite3.connect(FOLDER + "/glewlwyd.db")
    with open(INSTALL) as file:
        database.executescript(file.read())
    database.close()
    with open("/etc/glewlwyd/glewlwyd.conf") as file:
        lines = [line for line in file if not line.startswith(("port", "external_url", "log_", "@include"))]
    with open(FOLDER + "/glewlwyd.conf", "w") as file:
        file.write(
            f'port={port}\nexternal_url="{base}/"\nbind_address="127.0.0.1"\nlog_mode="console"\nlog_level="WARNING"\n'
            + "".join(lines) + f'database = {{ type = "sqlite3"; path = "{FOLDER}/glewlwyd.db"; }};\n')


class Browser:
    """Keeps cookies."""

    def __init__(self):
        self.cookies = {}

    def call(self, method, path, body=None):
        headers = {"cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items())}
        status, answered, data = openid_page.request(method, path if path.startswith("http") else base + path, body, headers)
        if "set-cookie" in answered:
            name, _, value = answered["set-cookie"].partition(";")[0].partition("=")
            self.cookies[name] = value
        assert status < 400, (method, path, status, data[:500])
        return status, answered, data

    def log_in(self, user, password):
        self.call("POST", "/api/auth/", {"username": user, "password": password})


def prepare():
    """Sets up the provider, a client, and a user, by Glewlwyd's own API."""
    admin = Browser()
    admin.log_in("admin", "password")
    private = jwk.RSAKey.generate_key(2048, {"kid": "k1", "alg": "RS256", "use": "sig"}).as_dict(private=True)
    admin.call("POST", "/api/mod/plugin/", {
        "module": "oidc", "name": "oidc", "display_name": "OpenID", "enabled": True, "parameters": {
            "iss": issuer, "jwt-type": "rsa", "jwt-key-size": "256", "jwks-private": json.dumps({"keys": [private]}),
            "default-kid": "k1", "access-token-duration": 3600, "refresh-token-duration": 1209600, "code-duration": 600,
            "refresh-token-rolling": False, "allow-non-oidc": False, "auth-type-code-enabled": True,
            "auth-type-token-enabled": False, "auth-type-id-token-enabled": True, "auth-type-none-enabled": False,
            "auth-type-password-enabled": False, "auth-type-client-enabled": False, "auth-type-device-enabled": False,
            "auth-type-refresh-enabled": True, "scope": [], "additional-parameters": [], "subject-type": "public",
            "claims": [{"name": "nickname", "user-property": "name", "type": "string", "mandatory": True, "scope": []}],
            "jwks-show": True, "pkce-allowed": True, "pkce-required": True, "pkce-method-plain-allowed": False,
            "name-claim": "mandatory", "name-claim-scope": [], "allowed-scope": ["openid"],
        }})
    admin.call("POST", "/api/client/", {
        "client_id": CLIENT, "name": "Crowbar", "enabled": True, "confidential": True, "password": SECRET,
        "client_secret": SECRET, "redirect_uri": [REDIRECT], "authorization_type": ["code"],
        "token_endpoint_auth_method": ["client_secret_basic"], "scope": []})
    admin.call("POST", "/api/user/", {
        "username": "ann", "password": "correct horse", "name": "Ann of Glewlwyd", "email": "ann@example.org", "enabled": True,
        "scope": ["openid"]})


def sign_in(question):
    browser = Browser()
    page = openid_page.SignIn(CLIENT, REDIRECT, scope="openid")
    document = json.loads(browser.call("GET", issuer + "/.well-known/openid-configuration")[2])
    browser.log_in("ann", "correct horse")
    browser.call("PUT", f"/api/auth/grant/{CLIENT}", {"scope": "openid"})
    # Without this parameter Glewlwyd shows its login page once more.
    _, headers, _ = browser.call("GET", page.address(document["authorization_endpoint"]) + "&g_continue")
    return page.post(question["server"], page.code(headers["location"]))


configure()
process = subprocess.Popen(
    ["/usr/bin/glewlwyd", "--config-file=" + FOLDER + "/glewlwyd.conf"], stdin=subprocess.DEVNULL,
    stdout=open(FOLDER + "/glewlwyd.log", "wb"), stderr=subprocess.STDOUT)
try:
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=5).close()
            break
        except OSError:
            assert process.poll() is None, open(FOLDER + "/glewlwyd.log").read()
            time.sleep(0.02)
    prepare()
    print(json.dumps({"issuer": issuer, "client": CLIENT, "secret": SECRET}), flush=True)
    for line in sys.stdin:
        print(json.dumps(sign_in(json.loads(line)["sign in"])), flush=True)
finally:
    process.kill()
    process.wait()
