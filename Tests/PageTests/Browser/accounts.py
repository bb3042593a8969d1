"""Accounts in the browser alone: first start, invite, registration, settings, sign-out everywhere."""

import re

from playwright.sync_api import expect

from support.acts import create, fill, join, row, say
from support.administration import secret, section
from support.world import run, scenario

PASSWORD = "correct horse battery"


def sign_in(here, page, user, password):
    page.goto(here.server.url + "/#/sign-in")
    form = page.locator("form", has=page.get_by_label("Password"))
    form.get_by_label("User id").fill(user)
    form.get_by_label("Password").fill(password)
    form.get_by_role("button", name="Sign in").click()
    page.locator(".shell").wait_for()


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


@scenario
def settings(here):
    """Name, password, sessions; sign-out everywhere ends the other device."""
    server = here.server
    server.user("hal", "ida")
    server.password("hal", PASSWORD)
    server.channel("hal", "hut", "ida")
    here.allow("401")
    bob, other = here.context().new_page(), here.context().new_page()
    for page in (bob, other):
        sign_in(here, page, "hal", PASSWORD)
    bob.goto(here.server.url + "/#/settings")
    expect(bob.get_by_text("(this one)")).to_be_visible()
    here.axe(bob, "settings-session")
    fill(bob, Shown_name="Halley")
    bob.get_by_role("button", name="Save").click()
    expect(other.locator(".account-button")).to_contain_text("Halley")
    fill(bob, Present_password=PASSWORD, New_password=PASSWORD + "2")
    bob.get_by_role("button", name="Change", exact=True).click()
    expect(other.get_by_text("Your session has ended")).to_be_visible()
    sign_in(here, other, "hal", PASSWORD + "2")
    other.goto(here.server.url + "/#/settings")
    other.get_by_role("button", name="Sign out everywhere").click()
    expect(other.get_by_role("dialog")).to_contain_text(re.compile("your [23] sessions"))
    other.get_by_role("dialog").get_by_role("button", name="Sign out").click()
    expect(other.get_by_text("You are signed out.")).to_be_visible()
    expect(bob.get_by_text("Your session has ended")).to_be_visible()


if __name__ == "__main__":
    run('[auth]\nregistration = "invite"\n')
