"""Accounts in the browser alone: first start, invite, registration, roles, reset, sign-out everywhere, settings; and what
admins see of it: users, invites, tokens, hooks, views, audit, nodes. One story: the server is new at its beginning."""

import json
import re
import urllib.error
import urllib.request

from playwright.sync_api import expect

from support.acts import create, fill, join, row, say
from support.world import run, scenario

PASSWORD = "correct horse battery"


def sign_in(here, page, user, password):
    page.goto(here.server.url + "/#/sign-in")
    form = page.locator("form", has=page.get_by_label("Password"))
    form.get_by_label("User id").fill(user)
    form.get_by_label("Password").fill(password)
    form.get_by_role("button", name="Sign in").click()
    page.locator(".shell").wait_for()


def section(here, page, name):
    page.goto(here.server.url + "/#/plugins")
    page.get_by_role("navigation", name="Console").get_by_role("link", name=name).click()
    page.get_by_role("heading", name=name, level=1).wait_for()


def confirm(page, button, action):
    """Does what asks first."""
    page.get_by_role("button", name=button).click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("button", name=action, exact=True).click()
    expect(dialog).to_have_count(0)


def secret(here, page, title, name):
    """Looks at what is shown once."""
    dialog = page.get_by_role("dialog", name=title)
    text = dialog.locator(".secret").inner_text()
    here.screen(page, name)
    dialog.get_by_role("button", name="Close").click()
    return text


@scenario
def from_the_first_start(here):
    server = here.server
    # First start: the sign-in says what to do, and the link makes the first administrator.
    page = here.open()
    expect(page.get_by_text("Nobody administers this server yet")).to_be_visible()
    here.screen(page, "first-start")
    page.goto(re.search(r"http\S+", server.run("setup-link")).group())
    expect(page.get_by_role("heading", name="Set up this server")).to_be_visible()
    here.screen(page, "setup")
    fill(page, User_id="ada", Name="Ada", Password="short")
    page.get_by_role("button", name="Create the administrator").click()
    expect(page.get_by_role("alert")).to_have_text(re.compile("8"))
    fill(page, Password=PASSWORD)
    page.get_by_role("button", name="Create the administrator").click()
    page.locator(".shell").wait_for()
    expect(page.get_by_role("heading", name="No channels yet").first).to_be_visible()
    here.screen(page, "no-channels")
    section(here, page, "Plugins")
    expect(page.get_by_role("heading", name="No plugins")).to_be_visible()
    here.screen(page, "console-no-plugins")

    # An invite.
    section(here, page, "Invites")
    expect(page.get_by_text("There are no invites.")).to_be_visible()
    page.get_by_role("button", name="Create an invite").click()
    here.screen(page, "console-invite")
    page.get_by_role("dialog").get_by_role("button", name="Create", exact=True).click()
    link = secret(here, page, "Invitation link", "console-invite-link")
    expect(page.get_by_role("cell", name="0 of 1")).to_be_visible()
    here.axe(page, "console-invites")

    # Registration by it, in another browser. It works once.
    bob = here.context().new_page()
    bob.goto(link)
    expect(bob.get_by_role("heading", name="Create an account")).to_be_visible()
    here.screen(bob, "register")
    fill(bob, User_id="bob", Password=PASSWORD)
    bob.get_by_role("button", name="Create", exact=True).click()
    bob.locator(".shell").wait_for()
    late = here.context().new_page()
    here.allow("/api/register")
    late.goto(link)
    fill(late, User_id="carl", Password=PASSWORD)
    late.get_by_role("button", name="Create", exact=True).click()
    expect(late.get_by_role("alert")).not_to_be_empty()
    here.screen(late, "invite-used")

    # A new tab is signed in; they talk.
    chat = page.context.new_page()
    chat.goto(server.url + "/")
    create(chat, "general")
    join(bob, "general")
    say(bob, "registered by a link")
    expect(row(chat, "registered by a link")).to_be_visible()

    people(here, page, bob)
    hooks(here, page, chat)
    the_server(here, page)


def people(here, page, bob):
    """Roles, disabling, a reset, settings, sign-out everywhere."""
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

    # Settings: name, password, sessions; sign-out everywhere ends the other device.
    other = here.context().new_page()
    sign_in(here, other, "bob", PASSWORD + "2")
    bob.goto(here.server.url + "/#/settings")
    expect(bob.get_by_text("(this one)")).to_be_visible()
    here.axe(bob, "settings-session")
    fill(bob, Shown_name="Bobby")
    bob.get_by_role("button", name="Save").click()
    expect(other.locator(".account-button")).to_contain_text("Bobby")
    fill(bob, Present_password=PASSWORD + "2", New_password=PASSWORD + "3")
    bob.get_by_role("button", name="Change", exact=True).click()
    expect(other.get_by_text("Your session has ended")).to_be_visible()
    sign_in(here, other, "bob", PASSWORD + "3")
    other.goto(here.server.url + "/#/settings")
    other.get_by_role("button", name="Sign out everywhere").click()
    expect(other.get_by_role("dialog")).to_contain_text("your 2 sessions")
    other.get_by_role("dialog").get_by_role("button", name="Sign out").click()
    expect(other.get_by_text("You are signed out.")).to_be_visible()
    expect(bob.get_by_text("Your session has ended")).to_be_visible()


def hooks(here, page, chat):
    """A hook: its address is shown once, and works until it is removed."""
    section(here, page, "Hooks")
    page.get_by_role("button", name="Add a hook").click()
    here.screen(page, "console-hook")
    fill(page, Name="ci", Channel="general")
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


def the_server(here, page):
    """Tokens, views, nodes, replays, audit."""
    section(here, page, "Tokens")
    expect(page.get_by_role("table").get_by_text("ada").first).to_be_visible()
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
    expect(page.get_by_role("table").get_by_text("ada").first).to_be_visible()
    here.axe(page, "console-audit")
    page.set_viewport_size({"width": 360, "height": 640})
    for name in ("Plugins", "Replays", "Users", "Invites", "Tokens", "Hooks", "Views", "Audit", "Nodes"):
        section(here, page, name)
        wide = page.evaluate("() => document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wide <= 0, f"{name} is {wide} px too wide"


if __name__ == "__main__":
    run('[auth]\nregistration = "invite"\n')
