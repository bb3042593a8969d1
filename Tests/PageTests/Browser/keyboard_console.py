"""The console by keyboard alone, with what a screen reader says: an operator finds out why a webhook fails, has it deliver
again, and redrives its dead letters; and every other task of the console."""

import re

from playwright.sync_api import expect

from support.keyboard import Keyboard
from support.server import until
from support.plugins import Receiver, dead_letters, started
from support.world import run, scenario


def enter(here, user, channel):
    """Opens the page and signs in by keyboard."""
    page = here.open()
    page.get_by_role("heading", name="Sign in").wait_for()
    keys = Keyboard(page)
    keys.do("DisclosureTriangle", "Sign in with a token")
    page.get_by_label("Token").wait_for()
    keys.to("textbox", "^Token$")
    keys.type(here.server.tokens[user])
    keys.press("Enter")
    keys.is_at("textbox", f"^Message {channel}$")
    return page, keys


def console(keys, user):
    """Opens the console by the account's menu."""
    keys.do("button", f"^{user}$")
    keys.is_at("menuitem", "Settings")
    keys.press("ArrowDown")
    keys.is_at("menuitem", "Console")
    keys.press("Enter")
    keys.is_at("main", "")


def section(page, keys, name):
    """Goes to a section of the console by its links."""
    keys.do("link", f"^{name}$")
    page.get_by_role("heading", name=name, level=1).wait_for()
    keys.is_at("main", "")


def confirm(keys, button, action, key="Tab"):
    """Does what asks first; the focus is on Cancel, and comes back to where the button is."""
    keys.do("button", button, key)
    keys.is_at("button", "^Cancel$")
    keys.do("button", f"^{action}$")


@scenario
def a_failing_webhook(here):
    server = here.server
    server.admin("ada")
    server.user("bob")
    server.channel("ada", "general", "bob")
    with Receiver() as receiver:
        started(server, "ada", "hook", receiver.manifest())
        receiver.status, receiver.text = 400, b"the address is wrong: it has moved to /ci"
        for number in range(3):
            server.command("bob", "SEND_MESSAGE", "general", message=f"build {number} failed")
        dead_letters(server, "ada", "hook", 3)
        receiver.status, receiver.text = 410, b"gone"
        server.command("bob", "SEND_MESSAGE", "general", message="build 3 failed")
        until(lambda: "410" in str(server.plugin("ada", "hook")["queues"]), "the endpoint is held", detail=server.log)

        page, keys = enter(here, "ada", "general")
        console(keys, "ada")
        # Which plugin: the list has the word, not the colour alone, and why.
        expect(page.get_by_role("row", name=re.compile("hook .*down.*410"))).to_be_visible()
        keys.do("link", "^hook$")
        page.get_by_role("heading", name="Plugins / hook").wait_for()
        keys.is_at("main", "")
        # Why: the state of the queue, and the receiver's own words at the dead letters.
        expect(page.get_by_role("row", name=re.compile("^ci .*410"))).to_be_visible()
        expect(page.get_by_role("heading", name="Dead letters · 3")).to_be_visible()
        keys.to("checkbox", "build 0 failed.*400.*the address is wrong: it has moved to /ci")
        keys.do("button", "^Show event")
        expect(page.get_by_role("dialog", name="Dead letter")).to_contain_text("build 0 failed")
        keys.press("Escape")
        keys.is_at("button", "^Show event")

        # Repaired at the other end. The test event says whether it is; then the endpoint is let go.
        keys.do("button", "^Send a test event to ci$")
        keys.hears("Failed: 410")
        keys.is_at("button", "^Send a test event to ci$")
        receiver.status, receiver.text = 200, b"ok"
        receiver.bodies.clear()
        keys.press("Enter")
        keys.hears("Delivered: 200")
        keys.to("button", "^Resume hook/ci$", "Shift+Tab")
        keys.press("Enter")
        keys.hears("Resume hook/ci: ")
        until(lambda: any("build 3 failed" in body for body in receiver.bodies), "what was held is delivered")
        keys.is_at("button", "^Resume hook/ci$")

        # One dead letter, then the others. The focus stays where the work is.
        keys.to("checkbox", "build 1 failed")
        keys.press("Space")
        confirm(keys, "^Redrive 1 dead letter$", "Redrive 1 dead letter", "Shift+Tab")
        keys.hears("Redriven: 1")
        expect(page.get_by_role("heading", name="Dead letters · 2")).to_be_visible()
        keys.is_at("button", "^Redrive 2 dead letters$")
        confirm(keys, "^Redrive 2 dead letters$", "Redrive 2 dead letters")
        keys.hears("Redriven: 2")
        expect(page.get_by_role("heading", name="No dead letters")).to_be_visible()
        for number in range(4):
            assert len([one for one in receiver.bodies if f"build {number} failed" in one]) == 1, receiver.bodies
        assert keys.focus()[0] != "RootWebArea", "the focus is lost when the last dead letter is gone"
        expect(page.get_by_role("row", name=re.compile("^ci .*live.*ok"))).to_be_visible()


@scenario
def a_plugin_and_its_replays(here):
    server = here.server
    server.admin("dora")
    server.channel("dora", "lobby")
    here.allow("tool/deliveries")
    with Receiver() as receiver:
        started(server, "dora", "tool", receiver.manifest())
        for number in range(3):
            server.command("dora", "SEND_MESSAGE", "lobby", message=f"letter {number}")
        until(lambda: len(receiver.bodies) == 3, "three deliveries")
        page, keys = enter(here, "dora", "lobby")
        console(keys, "dora")
        keys.do("link", "^tool$")
        page.get_by_role("heading", name="Plugins / tool").wait_for()

        keys.do("button", "^Pause tool$")
        keys.hears("Pause tool: paused")
        keys.is_at("button", "^Resume tool$")
        keys.press("Enter")
        keys.hears("Resume tool: ")
        keys.is_at("button", "^Pause tool$")
        before = server.plugin("dora", "tool")["pid"]
        confirm(keys, "^Restart tool$", "Restart")
        keys.hears("Restart tool: done")
        until(lambda: server.plugin("dora", "tool").get("pid") not in (None, before), "another process")
        confirm(keys, "^Stop tool$", "Stop")
        keys.hears("Stop tool: done")
        until(lambda: server.plugin("dora", "tool")["state"] == "stopped", "it is stopped")
        keys.do("button", "^Start tool$")
        keys.hears("Start tool: ")
        until(lambda: server.plugin("dora", "tool")["state"] == "live", "it is live")

        # The log: a level, and hold still.
        keys.to("combobox", "^From level$")
        keys.type("warning")
        expect(page.get_by_label("From level")).to_have_value("warning")
        keys.to("checkbox", "^Hold still$")
        keys.press("Space")
        expect(page.get_by_label("Hold still")).to_be_checked()

        # A slow replay is started and stopped.
        keys.to("DisclosureTriangle", "Deliver part of the log again", "Shift+Tab")
        keys.press("Enter")
        keys.to("spinbutton", "^Events a second$")
        keys.type("0.01")
        keys.press("Enter")
        keys.hears("Confirm that the events are delivered a second time")
        keys.is_at("checkbox", "^I know that tool gets these events a second time$")
        keys.press("Space")
        keys.do("button", "^Start the replay$")
        keys.hears("Replay started")
        confirm(keys, "^Stop the replay of tool$", "Stop")
        keys.hears("Stop the replay of tool: done")
        expect(page.get_by_role("region", name="Replays")).to_contain_text("cancelled")
        keys.is_at("region", "^Replays$")


@scenario
def people(here):
    server = here.server
    server.admin("fred")
    server.user("gina")
    password = server.password("fred")
    server.channel("fred", "hall", "gina")
    page = here.open()
    page.get_by_role("heading", name="Sign in").wait_for()
    keys = Keyboard(page)
    keys.is_at("textbox", "^User id$")
    keys.type("fred")
    keys.to("textbox", "^Password$")
    keys.type(password)
    keys.press("Enter")
    keys.is_at("textbox", "^Message hall$")
    console(keys, "fred")

    section(page, keys, "Users")
    keys.to("searchbox", "^Find$")
    keys.type("gi")
    keys.press("Enter")
    expect(page.get_by_role("rowheader", name="fred")).to_have_count(0)
    confirm(keys, "^Make an admin: gina$", "Make an admin")
    keys.hears("Make an admin: gina: done")
    keys.is_at("button", "^Make a member: gina$")
    confirm(keys, "^Make a member: gina$", "Make a member")
    keys.hears("Make a member: gina: done")
    confirm(keys, "^Disable gina$", "Disable")
    keys.hears("Disable gina: done")
    keys.is_at("button", "^Enable gina$")
    confirm(keys, "^Enable gina$", "Enable")
    keys.hears("Enable gina: done")
    confirm(keys, "^Sign out gina$", "Sign out")
    keys.hears("Sign out gina: done")
    confirm(keys, "^Reset link for gina$", "Reset link")
    keys.hears("Reset link made")
    expect(page.get_by_role("dialog", name="Reset link")).to_be_visible()
    keys.press("Escape")
    keys.is_at("button", "^Reset link for gina$")
    keys.to("button", "^Add a user$", "Shift+Tab")
    keys.press("Enter")
    keys.is_at("textbox", "^User id$")
    keys.type("carl")
    keys.press("Enter")
    expect(page.get_by_role("dialog", name="User added")).to_be_visible()
    keys.press("Escape")
    keys.is_at("button", "^Add a user$")

    section(page, keys, "Invites")
    keys.do("button", "^Create an invite$")
    keys.is_at("spinbutton", "^People$")
    keys.press("Enter")
    expect(page.get_by_role("dialog", name="Invitation link")).to_be_visible()
    keys.press("Escape")
    keys.is_at("button", "^Create an invite$")
    confirm(keys, "^Remove invite ", "Remove")
    keys.hears("Remove invite .*: done", "There are no invites")
    assert keys.focus()[0] != "RootWebArea", "the focus is lost when the last invite is gone"

    section(page, keys, "Hooks")
    keys.do("button", "^Add a hook$")
    keys.is_at("textbox", "^Name$")
    keys.type("ci")
    keys.press("Tab")
    keys.type("hall")
    keys.press("Enter")
    expect(page.get_by_role("dialog", name="Address of the hook")).to_be_visible()
    keys.press("Escape")
    confirm(keys, "^Remove hook ci$", "Remove")
    keys.hears("Remove hook ci: done", "There are no hooks")

    section(page, keys, "Tokens")
    keys.to("searchbox", "^User id$")
    keys.type("gina")
    keys.press("Enter")
    confirm(keys, "^Revoke .* of gina$", "Revoke")
    keys.hears("Revoke .* of gina: done")


@scenario
def the_server(here):
    server = here.server
    server.admin("eve")
    server.password("eve")
    page = here.sign_in("eve", path="#/plugins")
    keys = Keyboard(page)
    page.get_by_role("heading", name="Plugins", level=1).wait_for()
    section(page, keys, "Views")
    confirm(keys, "^Rebuild messages$", "Rebuild")
    keys.hears("Rebuild messages: done")
    keys.is_at("button", "^Rebuild messages$")
    # Tables are wider than a narrow window: each can be reached and scrolled.
    for name, table in (("Nodes", "Nodes"), ("Audit", "Audit log"), ("Views", "Views")):
        section(page, keys, name)
        keys.to("region", f"^{table}$")
    section(page, keys, "Replays")
    keys.do("button", "^Close the console$")
    page.get_by_role("heading", name="Plugins", level=1).wait_for(state="detached")


if __name__ == "__main__":
    run()
