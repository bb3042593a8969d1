"""Sign-in by an OpenID provider that has no CORS headers: the page never calls it. A refusal says why."""

import json
import re
import subprocess
import sys

from playwright.sync_api import expect

from support.acts import create, row, say
from support.server import ROOT
from support.world import run, scenario

NAME = "page.example"


class Provider:
    """The provider of the server's own tests."""

    def __init__(self):
        self.process = subprocess.Popen([sys.executable, "-B", str(ROOT / "Tests/OpenIDTests/provider.py")],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        known = json.loads(self.process.stdout.readline())
        self.issuer, self.secret = known["issuer"], known["secret"]

    def tell(self, **question):
        self.process.stdin.write(json.dumps(question) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def close(self):
        self.process.kill()
        self.process.wait()


PROVIDER = Provider()
SETTINGS = f"""hosts = ["{NAME}"]
[auth]
passwords = false
[auth.oidc]
issuer = "{PROVIDER.issuer}"
client_id = "crowbar"
client_secret = {{ file = "oidc.secret" }}
label = "Company account"
redirect = ["http://127.0.0.1:{sys.argv[2]}/"]
groups_claim = "groups"
required_group = "staff"
admin_group = "admins"
"""


@scenario
def in_and_refused(here):
    server = here.server
    calls = []
    profile = here.context()
    profile.on("request", lambda request: calls.append((request.resource_type, request.url)))
    page = profile.new_page()
    page.goto(server.url + "/")
    expect(page.get_by_role("button", name="Company account")).to_be_visible()
    expect(page.get_by_label("Password")).to_have_count(0)
    here.screen(page, "sign-in-oidc")

    # Who is not in the group is refused with the words, and can try again.
    here.allow("/api/oidc")
    PROVIDER.tell(user={"sub": "u-1", "name": "Ann", "groups": []})
    page.get_by_role("button", name="Company account").click()
    expect(page.get_by_role("status").filter(has_text=re.compile("staff|group"))).to_be_visible()
    here.screen(page, "oidc-refused")
    assert "code=" not in page.url, page.url

    PROVIDER.tell(user={"sub": "u-1", "name": "Ann", "groups": ["staff", "admins"]})
    page.get_by_role("button", name="Company account").click()
    page.locator(".shell").wait_for()
    assert page.url.split("#")[0] == server.url + "/", page.url
    create(page, "general")
    say(page, "signed in elsewhere")
    expect(row(page, "signed in elsewhere").locator(".name")).to_contain_text("Ann")
    # Only navigations went to the provider.
    assert {kind for kind, url in calls if url.startswith(PROVIDER.issuer)} == {"document"}, calls
    # The group made an admin, and the session holds over a reload.
    page.reload()
    page.locator(".account-button").click()
    expect(page.get_by_role("menuitem", name="Console")).to_be_visible()
    # Signed out here, and not yet at the provider.
    page.get_by_role("menuitem", name="Sign out").click()
    link = page.get_by_role("link", name="Sign out of Company account")
    back = f"http%3A%2F%2F127.0.0.1%3A{sys.argv[2]}%2F"
    expect(link).to_have_attribute(
        "href", re.compile(re.escape(f"{PROVIDER.issuer}/end?client_id=crowbar&logout_uri={back}")))
    here.screen(page, "signed-out-oidc")
    page.reload()
    expect(page.get_by_role("button", name="Company account")).to_be_visible()
    expect(link).to_have_count(0)


@scenario
def a_return_that_was_not_asked_for(here):
    page = here.open("?error=access_denied&error_description=Not%20today&state=x")
    expect(page.get_by_role("status").filter(has_text="begun elsewhere")).to_be_visible()
    assert "error=" not in page.url, page.url


@scenario
def on_plain_http(here):
    """The button is there, does nothing, and says why."""
    page = here.context().new_page()
    page.goto(f"http://{NAME}:{here.server.port}/")
    expect(page.get_by_role("button", name="Company account")).to_be_disabled()
    expect(page.get_by_text("Browsers allow this only on https and on localhost.")).to_be_visible()
    here.screen(page, "oidc-plain-http")


if __name__ == "__main__":
    try:
        run(SETTINGS, name=NAME, files={"oidc.secret": PROVIDER.secret})
    finally:
        PROVIDER.close()
