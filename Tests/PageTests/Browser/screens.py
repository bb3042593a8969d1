"""Every screen and state of the sign-in and the chat: axe in both themes, the accessibility tree, 360 px, 200 %, targets."""

import re

from playwright.sync_api import expect

from support.acts import act, composer, opened, row, say
from support.checks import fits
from support.server import until
from support.world import BROKEN, run, scenario

SETTINGS = "[auth]\nanonymous_read = true\nregistration = \"open\"\n"


@scenario
def signed_out(here):
    server = here.server
    server.admin("ada")
    server.channel("ada", "public-notes")
    server.command("ada", "SEND_MESSAGE", "public-notes", message="everybody may read this")
    page = here.open("#/sign-in")
    page.get_by_role("heading", name="Sign in").wait_for()
    page.get_by_text("Sign in with a token").click()
    page.get_by_label("Token").wait_for()
    here.screen(page, "sign-in")
    page.get_by_label("Token").fill("wrong")
    here.allow("401")
    page.get_by_role("button", name="Sign in").last.click()
    expect(page.get_by_role("alert").last).not_to_be_empty()
    here.screen(page, "sign-in-refused")
    page.get_by_role("link", name="Create one").click()
    expect(page.get_by_role("heading", name="Create an account")).to_be_visible()
    here.screen(page, "register-open")
    page.get_by_role("link", name="To the sign-in").click()
    # Without an account: reads, and is told how to write.
    page.get_by_role("link", name="Read without an account").click()
    expect(row(page, "everybody may read this")).to_be_visible()
    expect(page.get_by_text("You are reading without an account.")).to_be_visible()
    here.screen(page, "anonymous")
    page.get_by_role("button", name="All channels").click()
    here.screen(page, "anonymous-channels")


def announce(page, **values):
    """Has the server announce something else about itself."""
    def answer(route):
        route.fulfill(json={**route.fetch().json(), **values})
    page.unroute("**/api/about")
    page.route("**/api/about", answer)


@scenario
def registration(here):
    """What the page says where the server takes no new accounts, or invited ones only."""
    page = here.context().new_page()
    for kind, line in (("closed", "New accounts are made by an administrator."), ("invite", "To create an account you need an invitation link.")):
        announce(page, registration=kind, anonymousRead=False)
        page.goto(f"{here.server.url}/?{kind}#/register")
        expect(page.get_by_role("heading", name="Create an account")).to_be_visible()
        expect(page.get_by_label("Password")).to_have_count(0)
        here.screen(page, f"register-{kind}")
        page.get_by_role("link", name="To the sign-in").click()
        expect(page.get_by_text(line)).to_be_visible()


@scenario
def another_release(here):
    """A server that speaks another version of the API."""
    page = here.context().new_page()
    for version, name in ((2, "newer"), (0, "older")):
        announce(page, api=version)
        page.goto(f"{here.server.url}/?{name}")
        expect(page.get_by_role("heading", name="This page and the server do not fit")).to_be_visible()
        expect(page.get_by_text(f"The server is {name} than this page.")).to_be_visible()
        here.screen(page, f"server-{name}")


@scenario
def waiting_and_failing(here):
    """What takes long is shown as coming; what fails says why and what to do next."""
    server = here.server
    server.user("gus", "ida")
    server.channel("ida", "base", "gus")
    server.channel("ida", "slow", "gus")
    server.command("ida", "SEND_MESSAGE", "slow", message="here at last")
    page = here.sign_in("gus", path="#/c/base")
    page.get_by_role("heading", name="base", level=1).wait_for()
    held = []
    page.route("**/views/messages/slow.json*", lambda route: held.append(route))
    opened(page, "slow")
    expect(page.locator(".skeleton, .bar").first).to_be_visible()
    here.screen(page, "loading")
    here.allow(BROKEN)
    until(lambda: held, "the request")
    held.pop(0).abort()
    expect(page.get_by_role("heading", name="The messages cannot be loaded")).to_be_visible()
    here.screen(page, "load-failed")
    page.unroute("**/views/messages/slow.json*")
    page.get_by_role("button", name="Try again").click()
    expect(row(page, "here at last")).to_be_visible()

    # The server cannot be reached at the start, and then it can.
    page.route("**/api/about", lambda route: route.abort())
    page.reload()
    expect(page.get_by_role("heading", name="The server cannot be reached")).to_be_visible()
    here.screen(page, "unreachable")
    page.unroute("**/api/about")
    # It loads the page again, which must have ended before the server does.
    with page.expect_navigation():
        page.get_by_role("button", name="Try again").click()
    expect(row(page, "here at last")).to_be_visible()
    page.locator(".connection").wait_for(state="attached")

    # Offline, with a message that waits; then refused.
    page.route("**/api/commands", lambda route: route.abort())
    server.kill()
    expect(page.get_by_text("Offline since")).to_be_visible()
    say(page, "sent later")
    expect(row(page, "sent later")).to_contain_text("tries again")
    here.axe(page, "offline")
    server.start()
    page.unroute("**/api/commands")
    bar = page.get_by_role("region", name="Connection")
    expect(bar).to_contain_text("Connected again")
    expect(row(page, "sent later")).not_to_have_class(re.compile("row-pending"))
    here.allow("422")
    page.route("**/api/commands", lambda route: route.fulfill(
        status=422, json={"error": {"code": "refused", "message": "a plugin says no"}}), times=1)
    say(page, "refused text")
    expect(row(page, "refused text")).to_contain_text("Not sent: a plugin says no")
    expect(bar).to_be_hidden()
    # Whether it was read before the server was gone, or is only sent now.
    expect(page.get_by_role("link", name="slow", exact=True)).to_be_visible()
    here.screen(page, "refused")


@scenario
def the_chat(here):
    server = here.server
    server.user("ann", "bob")
    server.channel("ann", "general", "bob", channelDescription="Everything that has no other place")
    server.channel("ann", "release-plans")
    server.command("ann", "CREATE_CHANNEL", "board", private=True)
    server.command("bob", "SEND_MESSAGE", "general", eventId="m1",
                   message="The **release** is planned for Monday, see https://example.org/plan.")
    server.command("bob", "SEND_MESSAGE", "general", message="```swift\nlet answer = 42\n```\n> quoted\n`code` and ~~old~~ news")
    server.command("ann", "SEND_MESSAGE", "general", eventId="m3", message="Thanks @bob!", replyTo="m1")
    server.command("bob", "ADD_REACTION", "general", messageId="m3", reaction="👍")
    server.command("ann", "ADD_REACTION", "general", messageId="m3", reaction="👍")
    server.command("bob", "SEND_MESSAGE", "general", eventId="m4", message="@ann one more thing")
    server.command("bob", "SEND_MESSAGE", "general", eventId="m5", message="waves", kind="action")
    server.command("ann", "EDIT_MESSAGE", "general", messageId="m3", message="Thanks @bob, see you!")
    page = here.sign_in("ann", path="#/c/general")
    page.get_by_role("complementary").get_by_role("button", name="bob").wait_for()
    expect(page.get_by_role("link", name="general", exact=True)).to_be_visible()
    here.screen(page, "chat")
    composer(page).fill("hello @bo")
    composer(page).press("End")
    composer(page).type("b")
    expect(page.get_by_role("option", name="bob")).to_be_visible()
    here.axe(page, "completion")
    composer(page).press("Escape")
    composer(page).fill("")
    act(page, "one more thing", "Reply")
    expect(page.get_by_text("Reply to")).to_be_visible()
    here.screen(page, "reply")
    page.keyboard.press("Escape")
    composer(page).press("ArrowUp")
    expect(page.get_by_text("Editing your message")).to_be_visible()
    here.screen(page, "edit")
    page.keyboard.press("Escape")
    row(page, "one more thing").click(button="right", position={"x": 300, "y": 4})
    page.get_by_role("menu").wait_for()
    here.axe(page, "message-menu")
    here.tree(page, "message-menu")
    page.get_by_role("menuitem", name="Add a reaction…").click()
    here.screen(page, "reactions")
    page.keyboard.press("Escape")
    act(page, "see you!", "Delete…")
    here.screen(page, "delete-message")
    page.keyboard.press("Escape")
    page.keyboard.press("Control+k")
    here.screen(page, "switcher")
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Join or create a channel").first.click()
    page.get_by_text("Create a channel", exact=True).click()
    here.screen(page, "channels")
    page.keyboard.press("Escape")
    for item, name in (("Set the topic…", "topic"), ("Invite…", "invite")):
        opened(page, "board")
        page.get_by_role("button", name="More about this channel").click()
        page.get_by_role("menuitem", name=item).click()
        here.screen(page, f"channel-{name}")
        page.keyboard.press("Escape")
    here.screen(page, "private-channel")
    opened(page, "release-plans")
    expect(page.get_by_text("Nothing has been said here yet")).to_be_visible()
    here.screen(page, "empty-channel")
    page.goto(f"{server.url}/#/c/general")
    page.get_by_role("complementary").get_by_role("button", name="bob").click()
    page.get_by_role("menu").wait_for()
    here.axe(page, "member-menu")
    page.keyboard.press("Escape")
    page.goto(f"{server.url}/#/search?q=release")
    page.locator(".result").first.wait_for()
    here.screen(page, "search")
    page.goto(f"{server.url}/#/settings")
    page.get_by_role("heading", name="Settings").wait_for()
    here.screen(page, "settings")
    page.goto(f"{server.url}/#/c/nothing")
    page.get_by_role("heading", name="This channel does not exist").wait_for()
    here.screen(page, "no-channel")


@scenario
def narrow(here):
    """Loaded in a narrow window, where channels and members are drawers."""
    server = here.server
    server.user("cat", "dan")
    server.channel("cat", "lobby", "dan")
    server.channel("cat", "plans")
    server.many("dan", [{"type": "SEND_MESSAGE", "channelId": "lobby", "message": f"message {number} " + "word " * 30} for number in range(40)])
    page = here.sign_in("cat", path="#/c/lobby", viewport={"width": 360, "height": 640})
    expect(row(page, "message 39")).to_be_visible()
    fits(page, "the chat")
    here.axe(page, "narrow-chat")
    here.tree(page, "narrow-chat")
    page.get_by_role("button", name="Channels").click()
    expect(page.get_by_role("link", name=re.compile("^plans"))).to_be_visible()
    fits(page, "the channels")
    here.axe(page, "narrow-channels")
    here.tree(page, "narrow-channels")
    page.get_by_role("link", name=re.compile("^plans")).click()
    expect(page.get_by_role("heading", name="plans", level=1)).to_be_visible()
    page.get_by_role("button", name="Members").click()
    expect(page.get_by_role("complementary").get_by_role("button", name="cat")).to_be_visible()
    fits(page, "the members")
    here.axe(page, "narrow-members")
    # Zoomed to 200 %, loaded so: one can write, and what was written is seen.
    zoomed = here.sign_in("cat", path="#/c/lobby", viewport={"width": 600, "height": 380}, device_scale_factor=2)
    say(zoomed, "written at 200 %")
    expect(row(zoomed, "written at 200 %")).to_be_in_viewport()
    expect(composer(zoomed)).to_be_in_viewport(ratio=1)
    fits(zoomed, "zoomed")
    here.picture(zoomed, "zoomed")


@scenario
def what_a_screen_reader_has(here):
    """The list of messages is a log that does not speak; each row is an article: author, text, time."""
    server = here.server
    server.user("eve", "fay")
    server.channel("eve", "hall", "fay")
    server.command("fay", "SEND_MESSAGE", "hall", message="first")
    server.command("fay", "SEND_MESSAGE", "hall", message="under the same name")
    server.command("fay", "SEND_MESSAGE", "hall", message="waves", kind="action")
    page = here.sign_in("eve")
    log = page.get_by_role("log", name="Messages in hall")
    expect(log).to_have_attribute("aria-live", "off")
    rows = log.get_by_role("article")
    expect(rows).to_have_count(3)
    # Also a row that stands under the name of the one before it has its author.
    for number, text in enumerate(("first", "under the same name", "waves")):
        words = re.compile(rf"fay.*{text}.*\d\d:\d\d", re.S)
        until(lambda number=number, words=words: words.search(rows.nth(number).aria_snapshot()), f"the words of row {number}",
              detail=log.aria_snapshot)


if __name__ == "__main__":
    run(SETTINGS)
