"""Accounts in the browser alone: first start, invite, registration, roles, reset, sign-out everywhere, settings; and what
admins see of it: users, invites, tokens, hooks, views, audit, nodes."""

import json
import re
import urllib.request

from playwright.sync_api import expect
from world import row, say, world

PASSWORD = "correct horse battery"


def fill(page, **fields):
    for label, value in fields.items():
        page.get_by_label(label.replace("_", " "), exact=True).fill(value)


def sign_in(page, user, password):
    page.goto(here.server.url + "/#/sign-in")
    form = page.locator("form", has=page.get_by_label("Password"))
    form.get_by_label("User id").fill(user)
    form.get_by_label("Password").fill(password)
    form.get_by_role("button", name="Sign in").click()
    page.locator(".shell").wait_for()


def section(page, name):
    page.goto(here.server.url + "/#/plugins")
    page.get_by_role("navigation", name="Console").get_by_role("link", name=name).click()
    page.get_by_role("heading", name=name, level=1).wait_for()


def confirm(page, button, action):
    """Does what asks first."""
    page.get_by_role("button", name=button).click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("button", name=action, exact=True).click()
    expect(dialog).to_have_count(0)


def secret(page, title):
    dialog = page.get_by_role("dialog", name=title)
    text = dialog.locator(".secret").inner_text()
    dialog.get_by_role("button", name="Close").click()
    return text


with world('[auth]\nregistration = "invite"\n') as here:
    server = here.server
    # First start: the sign-in says what to do, and the link makes the first administrator.
    page = here.context().new_page()
    page.goto(server.url + "/")
    expect(page.get_by_text("Nobody administers this server yet")).to_be_visible()
    here.axe(page, "first-start")
    page.goto(re.search(r"http\S+", server.run("setup-link")).group())
    expect(page.get_by_role("heading", name="Set up this server")).to_be_visible()
    here.axe(page, "setup")
    fill(page, User_id="ada", Name="Ada", Password="short")
    page.get_by_role("button", name="Create the administrator").click()
    expect(page.get_by_role("alert")).to_have_text(re.compile("8"))
    fill(page, Password=PASSWORD)
    page.get_by_role("button", name="Create the administrator").click()
    page.locator(".shell").wait_for()
    expect(page.get_by_role("heading", name="No channels yet").first).to_be_visible()
    here.axe(page, "no-channels")

    # An invite.
    section(page, "Invites")
    expect(page.get_by_text("There are no invites.")).to_be_visible()
    page.get_by_role("button", name="Create an invite").click()
    here.axe(page, "console-invite")
    page.get_by_role("dialog").get_by_role("button", name="Create", exact=True).click()
    here.axe(page, "console-invite-link")
    link = secret(page, "Invitation link")
    expect(page.get_by_role("cell", name="0 of 1")).to_be_visible()
    here.axe(page, "console-invites")

    # Registration by it, in another browser. It works once.
    bob = here.context().new_page()
    bob.goto(link)
    expect(bob.get_by_role("heading", name="Create an account")).to_be_visible()
    here.axe(bob, "register")
    fill(bob, User_id="bob", Password=PASSWORD)
    bob.get_by_role("button", name="Create", exact=True).click()
    bob.locator(".shell").wait_for()
    late = here.context().new_page()
    here.expected.append(re.compile("/api/register"))
    late.goto(link)
    fill(late, User_id="carl", Password=PASSWORD)
    late.get_by_role("button", name="Create", exact=True).click()
    expect(late.get_by_role("alert")).not_to_be_empty()
    here.picture(late, "invite-used")

    # A new tab is signed in; they talk.
    say_to = page.context.new_page()
    say_to.goto(server.url + "/")
    say_to.get_by_role("button", name="Join or create a channel").first.click()
    say_to.get_by_text("Create a channel", exact=True).click()
    say_to.get_by_label("Id", exact=True).fill("general")
    say_to.get_by_role("button", name="Create", exact=True).click()
    bob.get_by_role("button", name="Join or create a channel").first.click()
    bob.get_by_role("button", name="Join general").click()
    say(bob, "registered by a link")
    expect(row(say_to, "registered by a link")).to_be_visible()

    # Roles, in two steps.
    section(page, "Users")
    expect(page.get_by_role("rowheader", name="bob")).to_be_visible()
    here.axe(page, "console-users")
    page.get_by_role("button", name="Make an admin: bob").click()
    expect(page.get_by_role("dialog")).to_contain_text("crowbar user role bob admin")
    here.axe(page, "console-confirm")
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name="Make an admin: bob")).to_be_focused()
    confirm(page, "Make an admin: bob", "Make an admin")
    confirm(page, "Make a member: bob", "Make a member")
    expect(page.get_by_role("button", name="Make an admin: bob")).to_be_visible()

    # A user with a role.
    page.get_by_role("button", name="Add a user").click()
    dialog = page.get_by_role("dialog", name="Add a user")
    here.axe(page, "console-add-user")
    dialog.get_by_label("User id").fill("eve")
    dialog.get_by_label("Role").select_option("admin")
    dialog.get_by_role("button", name="Add", exact=True).click()
    assert "/reset/" in secret(page, "User added")
    expect(page.get_by_role("row", name=re.compile("^eve ")).get_by_role("cell", name="admin", exact=True)).to_be_visible()
    page.get_by_role("button", name="Sign out eve").click()
    expect(page.get_by_role("dialog")).to_contain_text("crowbar user logout eve")
    page.keyboard.press("Escape")

    # Disabled: the open page ends. Then a new password by a link.
    here.expected.append(re.compile("401"))
    confirm(page, "Disable bob", "Disable")
    expect(page.get_by_text("disabled")).to_be_visible()
    expect(bob.get_by_text("Your session has ended")).to_be_visible()
    confirm(page, "Enable bob", "Enable")
    page.get_by_role("button", name="Reset link for bob").click()
    expect(page.get_by_role("dialog")).to_contain_text("crowbar user reset bob")
    page.get_by_role("dialog").get_by_role("button", name="Reset link").click()
    reset = secret(page, "Reset link")
    bob.goto(reset)
    expect(bob.get_by_role("heading", name="Choose a new password")).to_be_visible()
    here.axe(bob, "reset")
    fill(bob, New_password=PASSWORD + "2")
    bob.get_by_role("button", name="Set", exact=True).click()
    bob.locator(".shell").wait_for()

    # Settings: name, password, sessions; sign-out everywhere ends the other device.
    other = here.context().new_page()
    sign_in(other, "bob", PASSWORD + "2")
    bob.goto(server.url + "/#/settings")
    expect(bob.get_by_text("(this one)")).to_be_visible()
    here.axe(bob, "settings-session")
    fill(bob, Present_password=PASSWORD + "2", New_password=PASSWORD + "3")
    bob.get_by_role("button", name="Change", exact=True).click()
    expect(other.get_by_text("Your session has ended")).to_be_visible()
    sign_in(other, "bob", PASSWORD + "3")
    other.goto(server.url + "/#/settings")
    other.get_by_role("button", name="Sign out everywhere").click()
    expect(other.get_by_role("dialog")).to_contain_text("your 2 sessions")
    other.get_by_role("dialog").get_by_role("button", name="Sign out").click()
    expect(other.get_by_text("You are signed out.")).to_be_visible()
    expect(bob.get_by_text("Your session has ended")).to_be_visible()

    # A hook: its address is shown once, and works.
    section(page, "Hooks")
    page.get_by_role("button", name="Add a hook").click()
    fill(page, Name="ci", Channel="general")
    page.get_by_role("dialog").get_by_role("button", name="Add", exact=True).click()
    address = secret(page, "Address of the hook")
    here.axe(page, "console-hooks")
    urllib.request.urlopen(urllib.request.Request(
        address, data=json.dumps({"text": "the build is green"}).encode(), headers={"Content-Type": "application/json"}), timeout=20)
    expect(row(say_to, "the build is green")).to_be_visible()
    confirm(page, "Remove hook ci", "Remove")
    expect(page.get_by_text("There are no hooks.")).to_be_visible()

    # Tokens, views, nodes, audit.
    section(page, "Tokens")
    expect(page.get_by_role("table").get_by_text("ada").first).to_be_visible()
    here.axe(page, "console-tokens")
    section(page, "Views")
    page.get_by_role("button", name="Rebuild messages").click()
    expect(page.get_by_role("dialog")).to_contain_text("events of the log are read again")
    page.get_by_role("dialog").get_by_role("button", name="Rebuild", exact=True).click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    here.axe(page, "console-views")
    section(page, "Nodes")
    expect(page.get_by_role("cell", name=re.compile(r"\d+ events"))).to_be_visible()
    here.axe(page, "console-nodes")
    section(page, "Audit")
    expect(page.get_by_role("table").get_by_text("ada").first).to_be_visible()
    here.axe(page, "console-audit")
    page.set_viewport_size({"width": 360, "height": 640})
    for name in ("Users", "Audit", "Views"):
        section(page, name)
        wide = page.evaluate("() => document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wide <= 0, f"{name} is {wide} px too wide"
