"""Cognito as moto emulates it, with the pages of its hosted sign-in, which moto lacks, in front.

Writes {"issuer", "client", "secret", "jwks", "authorize", "token", "pool"} first. Reads {"sign in": {"server", "redirect"}} and answers
by the server's {"status", "answer"}, {"tokens": true} by moto's own {"id", "access"} of a sign-in, and {"sub": true} by the user's. It
ends when standard input is closed.
"""

import base64
import http.server
import json
import logging
import os
import secrets
import sys
import threading
import urllib.parse

os.environ.update(AWS_ACCESS_KEY_ID="x", AWS_SECRET_ACCESS_KEY="x", AWS_DEFAULT_REGION="eu-central-1")
sys.path.insert(0, __file__.rpartition("/")[0])

import boto3
import openid_page
from moto.cognitoidp.models import cognitoidp_backends
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import make_server

logging.disable(logging.CRITICAL)
moto = make_server("127.0.0.1", 0, DomainDispatcherApplication(create_backend_app), threaded=True)
threading.Thread(target=moto.serve_forever, daemon=True).start()
endpoint = f"http://127.0.0.1:{moto.server_port}"
cognito = boto3.client("cognito-idp", endpoint_url=endpoint, region_name="eu-central-1")
pool = cognito.create_user_pool(PoolName="chat")["UserPool"]["Id"]
client = cognito.create_user_pool_client(
    UserPoolId=pool, ClientName="chat", GenerateSecret=True,
    ExplicitAuthFlows=["ADMIN_NO_SRP_AUTH"])["UserPoolClient"]
cognito.create_group(UserPoolId=pool, GroupName="crowbar-admins")
cognito.admin_create_user(
    UserPoolId=pool, Username="ann", UserAttributes=[{"Name": "nickname", "Value": "Ann of Cognito"}])
cognito.admin_set_user_password(UserPoolId=pool, Username="ann", Password="Correct-horse-1", Permanent=True)
cognito.admin_add_user_to_group(UserPoolId=pool, Username="ann", GroupName="crowbar-admins")
sub = next(a["Value"] for a in cognito.admin_get_user(UserPoolId=pool, Username="ann")["UserAttributes"] if a["Name"] == "sub")


def tokens():
    """A sign-in by moto's own call."""
    import hashlib
    import hmac
    text = ("ann" + client["ClientId"]).encode()
    digest = base64.b64encode(hmac.digest(client["ClientSecret"].encode(), text, hashlib.sha256)).decode()
    result = cognito.admin_initiate_auth(
        UserPoolId=pool, ClientId=client["ClientId"], AuthFlow="ADMIN_NO_SRP_AUTH",
        AuthParameters={"USERNAME": "ann", "PASSWORD": "Correct-horse-1", "SECRET_HASH": digest})["AuthenticationResult"]
    return {"id": result["IdToken"], "access": result["AccessToken"]}


codes = {}


class Hosted(http.server.BaseHTTPRequestHandler):
    """/oauth2/authorize and /oauth2/token of a user pool's domain."""

    def do_GET(self):
        asked = dict(urllib.parse.parse_qsl(self.path.partition("?")[2]))
        code = secrets.token_urlsafe(16)
        codes[code] = asked
        self.send_response(302)
        self.send_header(
            "location", asked["redirect_uri"] + "?" + urllib.parse.urlencode({"code": code, "state": asked["state"]}))
        self.end_headers()

    def do_POST(self):
        form = dict(urllib.parse.parse_qsl(self.rfile.read(int(self.headers["content-length"])).decode()))
        pair = base64.b64decode(self.headers.get("authorization", "Basic ")[6:]).decode()
        asked = codes.pop(form["code"], None)
        good = asked and pair == client["ClientId"] + ":" + client["ClientSecret"]
        body = {"error": "invalid_grant"}
        if good:
            # moto signs the ID token, with the nonce that its own calls do not take.
            users = cognitoidp_backends["123456789012"]["eu-central-1"].user_pools[pool]
            token, _ = users.create_jwt(client["ClientId"], "ann", "id", extra_data={
                "nonce": asked["nonce"], "nickname": "Ann of Cognito", "cognito:groups": ["crowbar-admins"]})
            body = {"id_token": token, "token_type": "Bearer"}
        data = json.dumps(body).encode()
        self.send_response(200 if good else 400)
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_):
        pass


hosted = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hosted)
threading.Thread(target=hosted.serve_forever, daemon=True).start()
domain = f"http://127.0.0.1:{hosted.server_port}/oauth2"


def sign_in(question):
    page = openid_page.SignIn(client["ClientId"], question["redirect"])
    _, headers, _ = openid_page.request("GET", page.address(domain + "/authorize"))
    return page.post(question["server"], page.code(headers["location"]))


print(json.dumps({
    "issuer": f"https://cognito-idp.eu-central-1.amazonaws.com/{pool}", "client": client["ClientId"],
    "secret": client["ClientSecret"], "jwks": f"{endpoint}/{pool}/.well-known/jwks.json", "authorize": domain + "/authorize",
    "token": domain + "/token", "pool": pool}), flush=True)
for line in sys.stdin:
    question = json.loads(line)
    if "sign in" in question:
        answer = sign_in(question["sign in"])
    else:
        answer = {"sub": sub} if "sub" in question else tokens()
    print(json.dumps(answer), flush=True)
