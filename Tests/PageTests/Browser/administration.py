"""What administrators do with accounts and the server: roles, disabling, resets, hooks, tokens, views, nodes, audit."""

import json
import re
import urllib.error
import urllib.request

from playwright.sync_api import expect

from support.acts import fill, row
from support.administration import confirm, secret, section
from support.world import run, scenario

PASSWORD = "correct horse battery"


@scenario
def people(here):
    """A role, disabling, a reset, a new user."""
    server = here.server
    server.admin("ada")
    server.user("bob")
    server.password("ada")
    server.channel("ada", "general", "bob")
    page, bob = here.sign_in("ada"), here.sign_in("bob")
    section(here, page, "Users")
    expect(page.get_by_role("rowheader", name="bob")).to_be_visible()
    here.screen(page, "console-users")
    page.get_by_role("button", name="Make an admin: bob").click()
    expect(page.get_by_role("dialog")).to_contain_text("crowbar user role bob admin")
    here.screen(page, "console-confirm")
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name="Make an admin: bob")).to_be_focused()
    confirm(page, "Make an admin: bob", "Make an admin")
    confirm(page, "Make a member: bob", "Make a member")
    expect(page.get_by_role("button", name="Make an admin: bob")).to_be_visible()

    # A user with a role.
    page.get_by_role("button", name="Add a user").click()
    dialog = page.get_by_role("dialog", name="Add a user")
    here.screen(page, "console-add-user")
    dialog.get_by_label("User id").fill("eve")
    dialog.get_by_label("Role").select_option("admin")
    dialog.get_by_role("button", name="Add", exact=True).click()
    assert "/reset/" in secret(here, page, "User added", "console-user-added")
    expect(page.get_by_role("row", name=re.compile("^eve ")).get_by_role("cell", name="admin", exact=True)).to_be_visible()
    page.get_by_role("button", name="Sign out eve").click()
    expect(page.get_by_role("dialog")).to_contain_text("crowbar user logout eve")
    page.keyboard.press("Escape")

    # Disabled: the open page ends. Then a new password by a link.
    here.allow("401")
    confirm(page, "Disable bob", "Disable")
    expect(page.get_by_role("row").filter(has_text="bob")).to_contain_text("disabled")
    expect(bob.get_by_text("Your session has ended")).to_be_visible()
    confirm(page, "Enable bob", "Enable")
    page.get_by_role("button", name="Reset link for bob").click()
    expect(page.get_by_role("dialog")).to_contain_text("crowbar user reset bob")
    page.get_by_role("dialog").get_by_role("button", name="Reset link").click()
    bob.goto(secret(here, page, "Reset link", "console-reset-link"))
    expect(bob.get_by_role("heading", name="Choose a new password")).to_be_visible()
    here.screen(bob, "reset")
    fill(bob, New_password=PASSWORD + "2")
    bob.get_by_role("button", name="Set", exact=True).click()
    bob.locator(".shell").wait_for()


@scenario
def hooks(here):
    """Its address is shown once, and works until it is removed."""
    server = here.server
    server.admin("cleo")
    server.password("cleo")
    server.channel("cleo", "lobby")
    page, chat = here.sign_in("cleo"), here.sign_in("cleo")
    section(here, page, "Hooks")
    page.get_by_role("button", name="Add a hook").click()
    here.screen(page, "console-hook")
    fill(page, Name="ci", Channel="lobby")
    page.get_by_role("dialog").get_by_role("button", name="Add", exact=True).click()
    address = secret(here, page, "Address of the hook", "console-hook-address")
    here.screen(page, "console-hooks")

    def post():
        urllib.request.urlopen(urllib.request.Request(
            address, data=json.dumps({"text": "the build is green"}).encode(), headers={"Content-Type": "application/json"}), timeout=20)
    post()
    expect(row(chat, "the build is green")).to_be_visible()
    confirm(page, "Remove hook ci", "Remove")
    expect(page.get_by_text("There are no hooks.")).to_be_visible()
    try:
        post()
        raise AssertionError("a hook that was removed works")
    except urllib.error.HTTPError as error:
        assert error.code in (401, 404), error.code


@scenario
def the_server(here):
    """Tokens, views, nodes, replays, audit."""
    server = here.server
    server.admin("eli")
    server.password("eli")
    page = here.sign_in("eli")
    section(here, page, "Tokens")
    expect(page.get_by_role("table").get_by_text("eli").first).to_be_visible()
    here.axe(page, "console-tokens")
    section(here, page, "Views")
    page.get_by_role("button", name="Rebuild messages").click()
    expect(page.get_by_role("dialog")).to_contain_text("events of the log are read again")
    here.axe(page, "console-rebuild")
    page.get_by_role("dialog").get_by_role("button", name="Rebuild", exact=True).click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    here.axe(page, "console-views")
    section(here, page, "Nodes")
    expect(page.get_by_role("cell", name=re.compile(r"\d+ events"))).to_be_visible()
    here.screen(page, "console-nodes")
    section(here, page, "Replays")
    here.screen(page, "console-replays")
    section(here, page, "Audit")
    expect(page.get_by_role("table").get_by_text("eli").first).to_be_visible()
    here.axe(page, "console-audit")
    page.set_viewport_size({"width": 360, "height": 640})
    for name in ("Plugins", "Replays", "Users", "Invites", "Tokens", "Hooks", "Views", "Audit", "Nodes"):
        section(here, page, name)
        wide = page.evaluate("() => document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wide <= 0, f"{name} is {wide} px too wide"


if __name__ == "__main__":
    run()
