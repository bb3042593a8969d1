"""The chat by keyboard alone, with what a screen reader says: every task, from the sign-in to the sign-out."""

import re

from playwright.sync_api import expect

from support.acts import row
from support.keyboard import Keyboard
from support.server import until
from support.world import run, scenario


def signed_in(here, user, channel):
    """Signs in by keyboard; the focus is where messages are written."""
    page = here.open()
    page.get_by_role("heading", name="Sign in").wait_for()
    keys = Keyboard(page)
    keys.do("DisclosureTriangle", "Sign in with a token")
    page.get_by_label("Token").wait_for()
    keys.to("textbox", "^Token$")
    keys.type(here.server.tokens[user])
    keys.press("Enter")
    if channel:
        keys.is_at("textbox", f"^Message {channel}$")
    return page, keys


def send(keys, text):
    keys.type(text)
    keys.press("Enter")


def menu(keys, item, key="ArrowDown"):
    """Chooses an item of the menu that is open."""
    keys.to("menuitem", item, key)
    keys.press("Enter")


@scenario
def a_conversation(here):
    server = here.server
    server.user("ann", "bob")
    server.channel("bob", "general")
    server.channel("bob", "release-plans")
    server.command("bob", "SEND_MESSAGE", "general", message="The **release** is planned for Monday")
    page, keys = signed_in(here, "ann", None)

    # Join, where there is nothing yet.
    expect(page.get_by_role("heading", name="No channels yet").first).to_be_visible()
    keys.do("button", "^Join or create a channel$")
    keys.is_at("searchbox", "^Find a channel$")
    keys.type("gen")
    keys.do("button", "^Join general$")
    keys.hears("Joined general", "Channel general")
    keys.is_at("textbox", "^Message general$")

    # Write; complete a name; hear the answer.
    keys.type("hello @bo")
    expect(page.get_by_role("option", name="bob")).to_be_visible()
    keys.press("Tab")
    expect(page.get_by_role("textbox", name="Message general")).to_have_value("hello @bob ")
    keys.press("Enter")
    expect(row(page, "hello @bob")).not_to_have_class(re.compile("row-pending"))
    server.command("bob", "SEND_MESSAGE", "general", message="hello **ann**")
    keys.hears("^bob: hello ann$")
    # A break in a message.
    keys.type("first")
    keys.press("Shift+Enter")
    send(keys, "second")
    expect(row(page, "first")).to_contain_text("second")
    expect(row(page, "first")).not_to_have_class(re.compile("row-pending"))

    # Edit the last one; leave an edit.
    keys.press("ArrowUp")
    expect(page.get_by_text("Editing your message")).to_be_visible()
    keys.press("Escape")
    expect(page.get_by_text("Editing your message")).to_be_hidden()
    keys.press("ArrowUp", "Control+a")
    send(keys, "edited by ann")
    expect(row(page, "edited by ann")).to_contain_text("(edited)")

    # To the messages and through them; the row says author, text, time.
    keys.press("Shift+Tab")
    keys.is_at("article", "")
    keys.press("Home")
    expect(page.locator(".row:focus")).to_contain_text("planned for Monday")
    assert re.match(r"bob\s*The release is planned for Monday\s*\d\d:\d\d", page.locator(".row:focus").inner_text()), \
        page.locator(".row:focus").inner_text()
    keys.press("ArrowDown", "ArrowUp", "End", "Home")
    # The row's menu, by each of its keys.
    for key in ("Enter", "Shift+F10", "ContextMenu"):
        keys.press(key)
        keys.is_at("menuitem", "^Reply$")
        keys.press("Escape")
        keys.is_at("article", "")
    keys.press("Enter", "Enter")
    keys.is_at("textbox", "^Message general$")
    expect(page.get_by_text("Reply to")).to_be_visible()
    send(keys, "a reply")
    expect(row(page, "a reply").locator(".quote")).to_contain_text("planned for Monday")
    expect(row(page, "a reply")).not_to_have_class(re.compile("row-pending"))

    # React and take it back.
    keys.press("Shift+Tab", "Home", "Enter")
    menu(keys, "^Add a reaction…$")
    keys.is_at("button", "^👍$")
    keys.to("button", "^🎉$")
    keys.press("Enter")
    keys.hears("Reacted with 🎉")
    keys.is_at("article", "")
    keys.press("Enter")
    menu(keys, "^Take back 🎉$")
    keys.hears("Took back 🎉")
    # What a row has is reached from it: a reaction of another one.
    server.command("bob", "ADD_REACTION", "general", reaction="🚀",
                   messageId=row(page, "a reply").get_attribute("data-event"))
    keys.press("End")
    keys.to("button", "^🚀, 1: bob$")
    keys.press("Enter")
    keys.hears("Reacted with 🚀")
    # Copy, mark unread, delete.
    keys.is_at("button", "^🚀, 2: bob, ann$")
    keys.to("article", "", "Shift+Tab")
    keys.press("Home", "Enter")
    menu(keys, "^Copy link$")
    keys.hears("Copied")
    keys.press("Enter")
    menu(keys, "^Mark unread from here$")
    keys.hears("Marked as unread from here")
    keys.press("End", "Enter")
    menu(keys, "^Delete…$", "ArrowUp")
    keys.is_at("button", "^Cancel$")
    keys.do("button", "^Delete$")
    keys.hears("Message deleted")
    expect(row(page, "a reply")).to_have_count(0)
    keys.is_at("article", "")


@scenario
def channels_people_and_settings(here):
    server = here.server
    server.user("cat", "dan")
    server.command("dan", "RENAME_USER", name="Daniel")
    server.channel("cat", "lobby", "dan")
    server.channel("dan", "plans")
    server.command("dan", "SEND_MESSAGE", "lobby", message="where is the plan?", eventId="k1")
    page, keys = signed_in(here, "cat", "lobby")

    # Commands, with their faults beside the field.
    send(keys, "/topic What is planned")
    keys.hears("Topic set")
    send(keys, "/nick Catherine")
    keys.hears("Your name is Catherine now")
    send(keys, "/nothing")
    keys.hears("There is no command /nothing")
    keys.press("Control+a")
    # To another channel by letters; by its link; back.
    keys.press("Control+k")
    keys.is_at("combobox", "^Channel$")
    keys.type("pla")
    keys.press("Enter")
    page.get_by_role("heading", name="plans", level=1).wait_for()
    keys.do("button", "^Join$")
    keys.hears("Joined plans")
    keys.is_at("textbox", "^Message plans$")
    keys.do("link", "^lobby")
    keys.hears("Channel lobby")
    keys.is_at("textbox", "^Message lobby$")

    # A private channel, and an invitation.
    keys.do("button", "^Join or create a channel$")
    keys.do("DisclosureTriangle", "^Create a channel$")
    keys.to("textbox", "^Id$")
    keys.type("board")
    keys.to("checkbox", "^Private")
    keys.press("Space")
    keys.do("button", "^Create$")
    keys.hears("Channel board")
    keys.is_at("textbox", "^Message board$")
    keys.do("button", "^More about this channel$", "Shift+Tab")
    menu(keys, "^Invite…$")
    keys.is_at("textbox", "^User$")
    send(keys, "dan")
    keys.hears("Invited dan")
    keys.is_at("button", "^More about this channel$")
    keys.press("Enter")
    menu(keys, "^Set the topic…$")
    keys.is_at("textbox", "^Topic$")
    keys.type("Only us")
    keys.do("button", "^Set$")
    expect(page.locator(".head-topic")).to_have_text("Only us")
    keys.is_at("button", "^More about this channel$")
    keys.press("Enter")
    menu(keys, "^Leave$")
    keys.hears("Left board")
    assert keys.focus()[0] != "RootWebArea", "the focus is lost when a channel is left"

    # Members: what one of them said.
    keys.do("link", "^lobby")
    keys.is_at("textbox", "^Message lobby$")
    keys.to("button", "Daniel")
    keys.press("Enter")
    menu(keys, "^Messages of Daniel$")
    keys.is_at("searchbox", "^Search for$")
    expect(page.get_by_label("From", exact=True)).to_have_value("dan")
    send(keys, "plan")
    keys.hears("^1 message$")
    assert keys.heard().count("1 message") == 1, keys.heard()
    keys.do("link", "where is the plan")
    expect(page.locator(".row:focus")).to_contain_text("where is the plan?")

    # Settings, and out.
    keys.do("button", "^Catherine$")
    menu(keys, "^Settings$")
    page.get_by_role("heading", name="Settings", level=1).wait_for()
    keys.to("radio", "^As the system$")
    keys.press("ArrowDown", "ArrowDown")
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    keys.press("ArrowUp", "ArrowUp")
    keys.do("button", "^Close settings$", "Shift+Tab")
    keys.do("button", "^Catherine$")
    menu(keys, "^Sign out$")
    page.get_by_role("heading", name="Sign in").wait_for()
    expect(page.get_by_text("You are signed out.")).to_be_visible()
    keys.is_at("textbox", "^User id$")


@scenario
def nothing_holds_the_focus(here):
    """Tab goes through the whole page and comes round, also while something is open that uses Tab."""
    server = here.server
    server.user("eve", "fay")
    server.channel("eve", "hall", "fay")
    for number in range(5):
        server.command("fay", "SEND_MESSAGE", "hall", message=f"see https://example.org/{number} and\n```\ncode\n```")
    page, keys = signed_in(here, "eve", "hall")
    page.get_by_role("complementary").get_by_role("button", name="fay").wait_for()
    for key in ("Tab", "Shift+Tab"):
        start = keys.focus()
        passed = []
        for _ in range(60):
            keys.press(key)
            passed.append(keys.focus())
            if passed[-1] == start:
                break
        assert passed[-1] == start, f"{key} does not come round: {passed}"
        assert any(name.startswith("fay") for _, name in passed) and any("lobby" in name or "hall" in name for _, name in passed), passed
        # One row of the list is a stop, with what is in it, and no other.
        assert len([one for one in passed if one[0] == "article"]) == 1, passed
    # Completion uses Tab while it is open, and only then.
    keys.is_at("textbox", "^Message hall$")
    keys.type("@")
    expect(page.get_by_role("listbox", name="Completions")).to_be_visible()
    keys.press("Escape", "Tab")
    keys.is_at("button", "^Send$")
    # A dialog keeps the focus inside, and gives it back.
    keys.press("Control+k")
    keys.is_at("combobox", "^Channel$")
    for _ in range(6):
        keys.press("Tab")
        assert page.evaluate("() => document.activeElement === document.body || Boolean(document.activeElement.closest('dialog'))")
    keys.press("Escape")
    keys.is_at("button", "^Send$")


@scenario
def a_letter_is_no_shortcut(here):
    """Speech input types words: a letter alone does nothing outside of a field."""
    server = here.server
    server.user("gil", "hal")
    server.channel("gil", "hut", "hal")
    server.command("hal", "SEND_MESSAGE", "hut", message="one row")
    page, keys = signed_in(here, "gil", "hut")
    page.get_by_role("complementary").get_by_role("button", name="hal").wait_for()
    keys.press("Shift+Tab")
    keys.is_at("article", "")
    # Reading takes a second and changes the list of channels by itself.
    until(lambda: server.unread("gil", "hut") == 0, "the row is read")
    expect(page.get_by_role("link", name="hut", exact=True).first).to_be_visible()
    for place in ("article", "button", "link"):
        keys.to(place, "")
        before = page.locator("body").aria_snapshot(), page.url
        for letter in "abcdefghijklmnopqrstuvwxyz0123456789?/.,-+":
            keys.press(letter)
        assert keys.focus()[0] == place, f"a letter moved the focus from the {place} to {keys.focus()}"
        assert (page.locator("body").aria_snapshot(), page.url) == before, f"a letter did something on a {place}"


if __name__ == "__main__":
    run()
