"""What is lost and doubled when the server or an answer is lost: nothing. The page is not reloaded by anybody."""

import contextlib
import re

from playwright.sync_api import TimeoutError, expect
from world import row, say, until, world


def shown(page):
    """The texts of the rows, in order."""
    return page.locator(".row .text").all_inner_texts()


with world() as here:
    server = here.server
    here.expected += [re.compile("ERR_CONNECTION_REFUSED"), re.compile("ERR_FAILED"), re.compile("ERR_INCOMPLETE_CHUNKED"),
                      re.compile("ERR_EMPTY_RESPONSE"), re.compile("ERR_CONNECTION_RESET"), re.compile("net::ERR_ABORTED")]
    for name in ("ann", "bob"):
        server.user(name)
    server.command("ann", "CREATE_CHANNEL", "general")
    server.command("bob", "JOIN_CHANNEL", "general")
    # The streams of ann's browser that are open.
    streams = set()
    profile = here.context()
    profile.on("request", lambda request: "/events/stream" in request.url and streams.add(request))
    profile.on("requestfinished", lambda request: streams.discard(request))
    profile.on("requestfailed", lambda request: streams.discard(request))
    ann, bob = here.sign_in("ann", profile.new_page()), here.sign_in("bob")
    for number in range(3):
        say(ann, f"before {number}")
    expect(row(bob, "before 2")).to_be_visible()

    # The server dies. Both write; the page says that it is offline.
    server.kill()
    expect(ann.get_by_text("Offline since")).to_be_visible()
    expect(bob.get_by_text("Offline since")).to_be_visible()
    for number in range(3):
        say(ann, f"ann away {number}")
        say(bob, f"bob away {number}")
    expect(row(ann, "ann away 2")).to_contain_text("tries again")
    here.picture(ann, "offline")
    server.start()
    # What was written while no page could know of it.
    server.command("bob", "SEND_MESSAGE", "general", message="by another program")
    for page in (ann, bob):
        # The page may have come back by itself.
        with contextlib.suppress(TimeoutError):
            page.get_by_role("button", name="Now").click(timeout=300)
    for page in (ann, bob):
        expect(page.locator(".row-pending")).to_have_count(0, timeout=30_000)
        expect(row(page, "by another program")).to_be_visible()
        expect(row(page, "ann away 2")).to_be_visible()
        expect(row(page, "bob away 2")).to_be_visible()
    last = server.command("ann", "SEND_MESSAGE", "general", message="the last one")["eventId"]
    for page in (ann, bob):
        expect(row(page, "the last one")).to_be_visible()
    stored = server.messages("ann", "general", last)
    assert sorted(stored) == sorted(
        [f"before {n}" for n in range(3)] + [f"{who} away {n}" for who in ("ann", "bob") for n in range(3)]
        + ["by another program", "the last one"]), stored
    assert [text for text in stored if text.startswith("ann away")] == [f"ann away {n}" for n in range(3)]
    assert shown(ann) == stored and shown(bob) == stored, (shown(ann), shown(bob), stored)

    # An answer is lost on its way: the command is stored, and repeated under its id.
    lost = []

    def lose(route):
        route.fetch()
        lost.append(route.request.post_data)
        route.abort()

    ann.route("**/api/commands", lose, times=1)
    say(ann, "answered late")
    expect(row(bob, "answered late")).to_have_count(1)
    until(lambda: lost, "the lost answer")
    expect(ann.locator(".row-pending")).to_have_count(0)

    # The outbox survives a reload.
    ann.route("**/api/commands", lambda route: route.abort())
    say(ann, "kept over a reload")
    expect(row(ann, "kept over a reload")).to_contain_text("tries again")
    ann.get_by_role("textbox", name="Message general").fill("a draft")
    ann.reload()
    expect(row(ann, "kept over a reload")).to_be_visible()
    expect(ann.get_by_role("textbox", name="Message general")).to_have_value("a draft")
    ann.unroute("**/api/commands")
    expect(row(bob, "kept over a reload")).to_have_count(1)
    expect(ann.locator(".row-pending")).to_have_count(0)

    # Two tabs write in one channel while nothing gets through, and both are loaded again.
    second = ann.context.new_page()
    for tab, text in ((ann, "from the first tab"), (second, "from the second tab")):
        tab.route("**/api/commands", lambda route: route.abort())
        if tab is second:
            tab.goto(server.url)
        say(tab, text)
        expect(row(tab, text)).to_contain_text("tries again")
    for tab in (ann, second):
        tab.reload()
        expect(row(tab, "from the first tab")).to_be_visible()
        expect(row(tab, "from the second tab")).to_be_visible()
    for tab in (second, ann):
        tab.unroute("**/api/commands")
    for text in ("from the first tab", "from the second tab"):
        expect(row(bob, text)).to_have_count(1)
    for tab in (second, ann):
        expect(tab.locator(".row-pending")).to_have_count(0)
    second.close()

    # A definite refusal: the text can be edited, and is sent under another id.
    server.command("bob", "SEND_MESSAGE", "general", message="removal follows")
    ann.route("**/api/commands", lambda route: route.fulfill(
        status=422, content_type="application/json", body='{"error":{"code":"refused","message":"a plugin says no"}}'), times=1)
    here.expected.append(re.compile("422"))
    say(ann, "refused text")
    expect(row(ann, "refused text")).to_contain_text("Not sent: a plugin says no")
    here.picture(ann, "refused")
    row(ann, "refused text").get_by_role("button", name="Edit").click()
    box = ann.get_by_role("textbox", name="Message general")
    expect(box).to_have_value("refused text")
    box.fill("accepted text")
    box.press("Enter")
    expect(row(bob, "accepted text")).to_have_count(1)
    last = server.command("ann", "SEND_MESSAGE", "general", message="the very last")["eventId"]
    stored = server.messages("ann", "general", last)
    expect(row(ann, "the very last")).to_be_visible()
    expect(row(bob, "the very last")).to_be_visible()
    for text in ("answered late", "kept over a reload", "from the first tab", "from the second tab", "accepted text"):
        assert stored.count(text) == 1, stored
    assert "refused text" not in stored
    assert shown(ann) == stored and shown(bob) == stored, (shown(ann), stored)

    # Seven tabs of one browser: one stream, and all show what comes. The first one holds the stream; it closes.
    tabs = [ann]
    for _ in range(6):
        tab = ann.context.new_page()
        tab.goto(server.url)
        tabs.append(tab)
        expect(row(tab, "the very last")).to_be_visible()
    say(bob, "to all tabs")
    for tab in tabs:
        expect(row(tab, "to all tabs")).to_have_count(1)
    assert len(streams) == 1, [request.url for request in streams]
    tabs[0].close()
    say(bob, "to the other tabs")
    for tab in tabs[1:]:
        expect(row(tab, "to the other tabs")).to_have_count(1)
