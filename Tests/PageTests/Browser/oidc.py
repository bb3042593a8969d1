"""Sign-in by an OpenID provider that has no CORS headers: the page never calls it. A refusal says why."""

import json
import re
import subprocess
import sys

from playwright.sync_api import expect
from world import ROOT, row, say, world

provider = subprocess.Popen([sys.executable, "-B", str(ROOT / "Tests/OpenIDTests/provider.py")],
                            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def tell(**question):
    provider.stdin.write(json.dumps(question) + "\n")
    provider.stdin.flush()
    return json.loads(provider.stdout.readline())


try:
    known = json.loads(provider.stdout.readline())
    PORT = sys.argv[2]
    SETTINGS = f"""
[auth]
passwords = false
[auth.oidc]
issuer = "{known['issuer']}"
client_id = "crowbar"
client_secret = {{ file = "oidc.secret" }}
label = "Company account"
redirect = ["http://127.0.0.1:{PORT}/"]
groups_claim = "groups"
required_group = "staff"
admin_group = "admins"
"""
    with world(SETTINGS, files={"oidc.secret": known["secret"]}) as here:
        server = here.server
        calls = []
        profile = here.context()
        profile.on("request", lambda request: calls.append((request.resource_type, request.url)))
        page = profile.new_page()
        page.goto(server.url + "/")
        expect(page.get_by_role("button", name="Company account")).to_be_visible()
        expect(page.get_by_label("Password")).to_have_count(0)
        here.axe(page, "sign-in-oidc")

        # Who is not in the group is refused with the words, and can try again.
        here.expected.append(re.compile("/api/oidc"))
        tell(user={"sub": "u-1", "name": "Ann", "groups": []})
        page.get_by_role("button", name="Company account").click()
        expect(page.get_by_role("status").filter(has_text=re.compile("staff|group"))).to_be_visible()
        here.axe(page, "oidc-refused")
        assert "code=" not in page.url, page.url

        tell(user={"sub": "u-1", "name": "Ann", "groups": ["staff", "admins"]})
        page.get_by_role("button", name="Company account").click()
        page.locator(".shell").wait_for()
        assert page.url.split("#")[0] == server.url + "/", page.url
        page.get_by_role("button", name="Join or create a channel").first.click()
        page.get_by_text("Create a channel", exact=True).click()
        page.get_by_label("Id", exact=True).fill("general")
        page.get_by_role("button", name="Create", exact=True).click()
        say(page, "signed in elsewhere")
        expect(row(page, "signed in elsewhere").locator(".name")).to_contain_text("Ann")
        # Only navigations went to the provider.
        assert {kind for kind, url in calls if url.startswith(known["issuer"])} == {"document"}, calls

        # The group made an admin. The provider says no to the next one.
        page.locator(".account-button").click()
        expect(page.get_by_role("menuitem", name="Console")).to_be_visible()
        # Signed out here, and not yet at the provider.
        page.get_by_role("menuitem", name="Sign out").click()
        link = page.get_by_role("link", name="Sign out of Company account")
        expect(link).to_have_attribute("href", re.compile(
            re.escape(f"{known['issuer']}/end?client_id=crowbar&logout_uri=http%3A%2F%2F127.0.0.1%3A{PORT}%2F")))
        here.axe(page, "signed-out-oidc")
        page.reload()
        expect(page.get_by_role("button", name="Company account")).to_be_visible()
        expect(link).to_have_count(0)

        # A page that is opened without https cannot make the challenge, and says so.
        plain = here.context()
        plain.add_init_script("Object.defineProperty(crypto, 'subtle', { value: undefined })")
        insecure = plain.new_page()
        insecure.goto(server.url + "/")
        expect(insecure.get_by_role("button", name="Company account")).to_be_disabled()
        expect(insecure.get_by_text("Open this page by https.")).to_be_visible()
        expect(insecure.get_by_role("link", name="Sign out of")).to_have_count(0)

        other = here.context().new_page()
        other.goto(f"{server.url}/?error=access_denied&error_description=Not%20today&state=x")
        expect(other.get_by_role("status").filter(has_text="begun elsewhere")).to_be_visible()
        assert "error=" not in other.url, other.url
finally:
    provider.kill()
    provider.wait()
