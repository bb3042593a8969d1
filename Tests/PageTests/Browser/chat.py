"""Two people talk: join, messages, edits, deletion, reactions, replies, unread counts, commands, search."""

import re

from playwright.sync_api import expect
from world import row, say, until, world


def act(page, text, action):
    """Does something by the menu of a message."""
    row(page, text).click(button="right", position={"x": 300, "y": 4})
    page.get_by_role("menuitem", name=action).click()


def opened(page, channel):
    """Opens a channel by the list."""
    page.get_by_role("link", name=re.compile(f"^{channel}")).click()
    page.get_by_role("heading", name=channel, level=1).wait_for()


with world() as here:
    server = here.server
    server.user("ann")
    server.user("bob")
    server.command("ann", "RENAME_USER", name="Ann")
    server.command("ann", "CREATE_CHANNEL", "general")
    server.command("ann", "CREATE_CHANNEL", "dev", channelName="Development")

    ann = here.sign_in("ann")
    expect(ann.get_by_role("heading", name="general")).to_be_visible()
    expect(ann.get_by_text("Nothing has been said here yet")).to_be_visible()

    # Bob joins by the dialog.
    bob = here.sign_in("bob")
    bob.get_by_role("button", name="Join or create a channel").first.click()
    bob.get_by_role("button", name="Join general").click()
    say(bob, "hello ann")
    expect(row(ann, "hello ann")).to_be_visible()
    expect(row(ann, "hello ann").locator(".name")).to_have_text("bob")
    say(ann, "hello **bob**, see https://example.org/a_b.")
    expect(row(bob, "hello bob").locator("strong")).to_have_text("bob")
    expect(row(bob, "hello bob").locator("a")).to_have_attribute("href", "https://example.org/a_b")

    # Edit by the arrow key; a reply quotes what is there now.
    box = bob.get_by_role("textbox", name="Message general")
    box.press("ArrowUp")
    expect(bob.get_by_text("Editing your message")).to_be_visible()
    expect(box).to_have_value("hello ann")
    box.fill("hello Ann!")
    box.press("Enter")
    expect(row(ann, "hello Ann!").locator(".edited")).to_be_visible()
    expect(box).to_have_value("")
    act(ann, "hello Ann!", "Reply")
    say(ann, "a reply")
    expect(row(bob, "a reply").locator(".quote-text")).to_have_text("hello Ann!")
    box.press("ArrowUp")
    box.fill("hello dear Ann")
    box.press("Enter")
    expect(row(bob, "a reply").locator(".quote-text")).to_have_text("hello dear Ann")
    expect(row(ann, "a reply").locator(".quote-text")).to_have_text("hello dear Ann")
    row(ann, "a reply").locator(".quote").click()
    expect(ann).to_have_url(re.compile("#/c/general/m/"))
    expect(ann.locator(".row:focus")).to_contain_text("hello dear Ann")

    # Reactions, with who reacted.
    act(ann, "hello dear Ann", "Add a reaction")
    ann.get_by_role("button", name="🎉").click()
    reaction = row(bob, "hello dear Ann").locator(".row-body .reaction").first
    expect(reaction).to_have_attribute("aria-label", "🎉, 1: Ann")
    reaction.click()
    expect(row(ann, "hello dear Ann").locator(".row-body .reaction").first).to_have_attribute("aria-label", "🎉, 2: Ann, bob")
    row(ann, "hello dear Ann").locator(".row-body .reaction").first.click()
    expect(row(ann, "hello dear Ann").locator(".row-body .reaction").first).to_have_attribute("aria-pressed", "false")
    here.picture(ann, "chat")

    # Delete: it is gone for both, and from the quote.
    act(bob, "hello dear Ann", "Delete")
    bob.get_by_role("button", name="Delete", exact=True).click()
    expect(row(ann, "a reply").locator(".quote")).to_have_text("The original message was deleted.")
    expect(ann.get_by_text("hello dear Ann")).to_have_count(0)

    # Unread counts: bob looks at another channel.
    until(lambda: server.unread("bob", "general") == 0, "bob's marker")
    say(bob, "/join dev")
    expect(bob.get_by_role("heading", name="Development")).to_be_visible()
    say(ann, "one for @bob")
    say(ann, "two")
    link = bob.get_by_role("link", name=re.compile("^general"))
    expect(link).to_have_attribute("aria-label", "general, 1 mentions, 2 unread")
    expect(bob).to_have_title("(1) Crowbar")
    # Another page of the same user shows the same.
    second = here.sign_in("bob")
    opened(second, "Development")
    expect(second.get_by_role("link", name=re.compile("^general"))).to_have_attribute(
        "aria-label", "general, 1 mentions, 2 unread")
    opened(bob, "general")
    expect(bob.get_by_role("separator").filter(has_text="new")).to_be_visible()
    expect(bob.locator(".mention-me")).to_have_text("@bob")
    expect(link).to_have_attribute("aria-label", "general")
    expect(second.get_by_role("link", name=re.compile("^general"))).to_have_attribute("aria-label", "general")
    # Mark unread from here.
    act(bob, "two", "Mark unread from here")
    expect(link).to_have_attribute("aria-label", "general, 1 unread")

    # Commands.
    say(ann, "/me waves")
    expect(bob.locator(".row-action")).to_contain_text("waves")
    say(ann, "/topic The **topic**")
    expect(bob.locator(".head-topic")).to_have_text("The **topic**")
    say(ann, "/nick Ann Onymous")
    expect(bob.get_by_role("complementary").get_by_role("button", name="Ann Onymous")).to_be_visible()
    say(ann, "/nothing")
    expect(ann.get_by_role("alert").filter(has_text="There is no command /nothing")).to_be_visible()
    ann.get_by_role("textbox", name="Message general").fill("")
    say(ann, "//etc/hosts")
    expect(row(bob, "/etc/hosts")).to_be_visible()

    # Two members with names that readers could take for each other are shown with their ids; the others are not.
    expect(row(bob, "a reply").locator(".name-id")).to_have_count(0)
    server.user("carl")
    server.command("carl", "RENAME_USER", name="ann  0nymous")
    server.command("carl", "JOIN_CHANNEL", "general")
    server.command("carl", "SEND_MESSAGE", "general", message="it is me")
    expect(row(bob, "it is me").locator(".name-id")).to_have_text("carl")
    expect(row(bob, "a reply").locator(".name-id")).to_have_text("ann")
    expect(bob.get_by_role("complementary").locator(".name-id")).to_have_count(2)
    server.command("carl", "LEAVE_CHANNEL", "general")
    expect(row(bob, "a reply").locator(".name-id")).to_have_count(0)

    # A private channel by invitation, and a removal while it is open.
    ann.get_by_role("button", name="Join or create a channel").first.click()
    ann.get_by_text("Create a channel", exact=True).click()
    ann.get_by_label("Id", exact=True).fill("board")
    ann.get_by_label("Private").check()
    ann.get_by_role("button", name="Create", exact=True).click()
    expect(ann.get_by_role("heading", name="board")).to_be_visible()
    say(ann, "/invite bob")
    expect(bob.get_by_text("invites you to")).to_be_visible()
    here.picture(bob, "invitation")
    bob.get_by_role("button", name="Join", exact=True).click()
    expect(bob.get_by_role("heading", name="board")).to_be_visible()
    say(bob, "among us")
    expect(row(ann, "among us")).to_be_visible()
    say(ann, "/remove bob")
    expect(bob.get_by_role("heading", name="You were removed from this channel")).to_be_visible()
    here.picture(bob, "removed")
    expect(bob.get_by_role("link", name=re.compile("^board"))).to_have_count(0)

    # Search, and a jump to what was found.
    opened(bob, "general")
    bob.get_by_role("link", name="Search").click()
    bob.get_by_label("Search for").fill("reply")
    bob.get_by_role("button", name="Search", exact=True).click()
    expect(bob.locator(".result mark").first).to_have_text("reply")
    here.picture(bob, "search")
    bob.locator(".result a").first.click()
    expect(bob.locator(".row:focus")).to_contain_text("a reply")

    # Signing out in one tab ends the other.
    other = bob.context.new_page()
    other.goto(server.url + "/")
    expect(other.get_by_role("link", name=re.compile("^general"))).to_be_visible()
    other.locator(".account-button").click()
    other.get_by_role("menuitem", name="Sign out").click()
    expect(bob.get_by_text("You signed out in another tab.")).to_be_visible()
