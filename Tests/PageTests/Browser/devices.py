"""Unread counts, alike on all devices, and what counts as read."""

import re

from playwright.sync_api import expect

from support.acts import act, opened, row, say
from support.server import until
from support.windows import Windows, attention
from support.world import BROKEN, run, scenario


def link(page, channel):
    return page.get_by_role("link", name=re.compile(f"^{channel}"))


@scenario
def unread_over_two_devices(here):
    server = here.server
    server.user("ann", "bob")
    for channel in ("general", "dev"):
        server.channel("ann", channel, "bob")
    phone, desk = (here.sign_in("bob", path="#/c/dev") for _ in range(2))
    for page in (phone, desk):
        page.get_by_role("heading", name="dev", level=1).wait_for()
    server.command("ann", "SEND_MESSAGE", "general", message="one for @bob")
    server.command("ann", "SEND_MESSAGE", "general", message="two")
    for page in (phone, desk):
        expect(link(page, "general")).to_have_attribute("aria-label", "general, 1 mentions, 2 unread")
        expect(page).to_have_title("(1) Crowbar")
        expect(page.locator("#icon")).to_have_attribute("href", re.compile("icon-unread.svg$"))
    here.screen(desk, "unread")

    # Read on one, both know. Whoever comes to it later sees where the new ones begin.
    opened(desk, "general")
    expect(desk.get_by_role("separator").filter(has_text="new")).to_be_visible()
    expect(desk.locator(".mention-me")).to_have_text("@bob")
    for page in (phone, desk):
        expect(link(page, "general")).to_have_attribute("aria-label", "general")
        expect(page).to_have_title("Crowbar")
        expect(page.locator("#icon")).to_have_attribute("href", re.compile("icon.svg$"))

    # Marked unread, both know, and looking on does not mark it read at once.
    act(desk, "two", "Mark unread from here")
    for page in (phone, desk):
        expect(link(page, "general")).to_have_attribute("aria-label", "general, 1 unread")
        expect(page).to_have_title("• Crowbar")
    expect(desk.get_by_role("separator").filter(has_text="new")).to_be_visible()
    server.command("ann", "SEND_MESSAGE", "general", message="three")
    expect(row(desk, "three")).to_be_in_viewport()
    for page in (phone, desk):
        expect(link(page, "general")).to_have_attribute("aria-label", "general, 2 unread")
    # Opened again it is read.
    opened(phone, "general")
    for page in (phone, desk):
        expect(link(page, "general")).to_have_attribute("aria-label", "general")
    assert server.unread("bob", "general") == 0


@scenario
def who_looks_away_has_not_read(here):
    """Neither behind another tab, nor in a window that is visible while another one has the focus."""
    server = here.server
    server.user("cat", "dan")
    server.channel("cat", "lobby", "dan")
    with Windows(here) as windows:
        dan = here.sign_in("dan", windows.tab())
        sent = []
        dan.on("request", lambda request: sent.append(request.post_data) if request.url.endswith("/api/read") else None)
        dan.get_by_role("complementary").get_by_role("button", name="cat").wait_for()
        assert attention(dan) == [True, True]
        server.command("cat", "SEND_MESSAGE", "lobby", message="seen")
        until(lambda: server.unread("dan", "lobby") == 0, "the marker of the first message")

        def unseen(text):
            """A message comes and is shown; more time passes than it takes to read it, by the page's own clock."""
            attention(dan)
            sent.clear()
            server.command("cat", "SEND_MESSAGE", "lobby", message=text)
            expect(row(dan, text)).to_have_count(1)
            dan.evaluate("() => new Promise((resolve) => { setTimeout(resolve, 4000); })")
            expect(link(dan, "lobby")).to_have_attribute("aria-label", "lobby, 1 unread")
            assert server.unread("dan", "lobby") == 1 and not sent, (text, sent)

        def reads():
            expect(link(dan, "lobby")).to_have_attribute("aria-label", "lobby")
            until(lambda: server.unread("dan", "lobby") == 0, "the marker")

        cover = windows.tab()
        until(lambda: attention(dan) == [False, False], "the tab in front hides the page")
        unseen("behind a tab")
        cover.close()
        dan.bring_to_front()
        reads()
        # Headless Chromium gives every window the focus: what a window without it tells its page is told by the test.
        dan.evaluate("() => { document.hasFocus = () => false; dispatchEvent(new Event('blur')); }")
        unseen("beside a window")
        dan.evaluate("() => { delete document.hasFocus; dispatchEvent(new Event('focus')); }")
        reads()


@scenario
def what_is_above_is_not_read(here):
    """Only what was on the screen is read: the messages below it stay unread, until somebody scrolls there."""
    server = here.server
    server.user("eve", "fay")
    server.channel("eve", "hall", "fay")
    server.channel("eve", "den", "fay")
    fay = here.sign_in("fay", path="#/c/den")
    fay.get_by_role("heading", name="den", level=1).wait_for()
    server.many("eve", [{"type": "SEND_MESSAGE", "channelId": "hall", "message": f"{number}. " + "word " * 150} for number in range(60)])
    expect(link(fay, "hall")).to_have_attribute("aria-label", "hall, 60 unread")
    opened(fay, "hall")
    expect(fay.get_by_role("separator").filter(has_text="new")).to_be_in_viewport()
    until(lambda: 40 < server.unread("fay", "hall") < 60, "some are read", detail=lambda: str(server.unread("fay", "hall")))
    fay.get_by_role("button", name="To the newest").click()
    until(lambda: server.unread("fay", "hall") == 0, "all are read")


@scenario
def hidden_at_once(here):
    """What was read last reaches the server also if the page is left at once."""
    server = here.server
    server.user("gil", "hal")
    server.channel("gil", "hut", "hal")
    hal = here.sign_in("hal")
    hal.get_by_role("complementary").get_by_role("button", name="gil").wait_for()
    for number in range(2):
        server.command("gil", "SEND_MESSAGE", "hut", message=f"message {number}")
        expect(row(hal, f"message {number}")).to_be_in_viewport()
        expect(link(hal, "hut")).to_have_attribute("aria-label", "hut")
    # The second marker waits for two seconds after the first; the page goes before.
    hal.goto("about:blank")
    until(lambda: server.unread("hal", "hut") == 0, "the last marker")
    say(here.sign_in("hal"), "read it all")


@scenario
def read_while_the_server_is_away(here):
    """What was read and could not be sent is sent when the server is back, though nobody reads it again."""
    server = here.server
    server.user("ina", "jon")
    server.channel("ina", "loft", "jon")
    jon = here.sign_in("jon")
    jon.get_by_role("complementary").get_by_role("button", name="ina").wait_for()
    here.allow("api/read")
    jon.route("**/api/read", lambda route: route.abort())
    with jon.expect_event("requestfailed"):
        server.command("ina", "SEND_MESSAGE", "loft", message="seen once")
    assert server.unread("jon", "loft") == 1
    here.allow(BROKEN)
    server.kill()
    expect(jon.get_by_text("Offline since")).to_be_visible()
    jon.unroute("**/api/read")
    server.start()
    until(lambda: server.unread("jon", "loft") == 0, "the marker, sent again")
    expect(link(jon, "loft")).to_have_attribute("aria-label", "loft")
    # Nor is one lost that the server refuses for now.
    here.allow("api/read")
    jon.route("**/api/read", lambda route: route.fulfill(
        status=429, json={"error": {"code": "too_many_requests", "message": "too many"}}), times=1)
    with jon.expect_response(lambda response: response.status == 429):
        server.command("ina", "SEND_MESSAGE", "loft", message="seen twice")
    until(lambda: server.unread("jon", "loft") == 0, "the refused marker, sent again")


if __name__ == "__main__":
    run()
