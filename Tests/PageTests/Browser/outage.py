"""What is lost and doubled when the server or an answer is lost: nothing. The page is not reloaded by anybody."""

import re
import time

from playwright.sync_api import expect

from support.acts import composer, row, say, shown
from support.server import PATIENCE, until
from support.world import BROKEN, run, scenario


def not_reloaded(*pages):
    """Marks pages; what this gives fails when one of them was loaded again."""
    for page in pages:
        page.evaluate("() => { window.isTheFirst = true; }")

    def check():
        for page in pages:
            assert page.evaluate("() => window.isTheFirst === true"), "the page was loaded again"
    return check


def pair(here, one, two, channel):
    """Two people with a page each, in one channel."""
    here.allow(BROKEN)
    here.server.user(one, two)
    here.server.channel(one, channel, two)
    return here.sign_in(one), here.sign_in(two)


def the_same(here, channel, *people):
    """Every page shows what is stored, in its order, each once."""
    user, page = people[0]
    last = here.server.command(user, "SEND_MESSAGE", channel, message=f"the last one of {channel}")["eventId"]
    for _, page in people:
        expect(row(page, f"the last one of {channel}")).to_be_visible()
        expect(page.locator(".row-pending")).to_have_count(0)
    stored = here.server.messages(user, channel, last)
    for _, page in people:
        assert shown(page) == stored, (shown(page), stored)
    return stored


@scenario
def half_a_minute(here):
    """The server is lost for 30 s and regained. Both write meanwhile; the pages come back by themselves."""
    ann, bob = pair(here, "ann", "bob", "general")
    check = not_reloaded(ann, bob)
    for number in range(3):
        say(ann, f"before {number}")
    expect(row(bob, "before 2")).to_be_visible()
    tries = []
    ann.on("requestfailed", lambda request: tries.append(request) if "/events/stream" in request.url else None)
    here.server.kill()
    lost = time.monotonic()
    for page in (ann, bob):
        expect(page.get_by_text("Offline since")).to_be_visible()
    for number in range(3):
        say(ann, f"ann away {number}")
        say(bob, f"bob away {number}")
    expect(row(ann, "ann away 2")).to_contain_text("tries again")
    # 30 s, with tries that grow rarer: after about 1, 3, 7, 15 and 31 s.
    until(lambda: ann.evaluate("() => 1") and time.monotonic() - lost >= 30 and len(tries) >= 4, "half a minute and four tries",
          seconds=30 + PATIENCE, detail=lambda: str(len(tries)))
    assert len(tries) <= 10, "the page tries too often"
    here.server.start()
    # What was written while no page could know of it.
    here.server.command("bob", "SEND_MESSAGE", "general", message="by another program")
    for page in (ann, bob):
        expect(row(page, "by another program")).to_be_visible()
        expect(page.locator(".row-pending")).to_have_count(0)
    stored = the_same(here, "general", ("ann", ann), ("bob", bob))
    assert sorted(stored) == sorted(
        [f"before {n}" for n in range(3)] + [f"{who} away {n}" for who in ("ann", "bob") for n in range(3)]
        + ["by another program", "the last one of general"]), stored
    for who in ("ann", "bob"):
        assert [text for text in stored if text.startswith(f"{who} away")] == [f"{who} away {n}" for n in range(3)], stored
    check()


@scenario
def restarts(here):
    """Stopped as an upgrade does it, and killed, again and again, with messages under way."""
    cat, dan = pair(here, "cat", "dan", "lobby")
    check = not_reloaded(cat, dan)
    for number in range(4):
        say(cat, f"cat {number}")
        (here.server.stop if number % 2 else here.server.kill)()
        say(dan, f"dan {number}")
        expect(dan.get_by_text("Offline since")).to_be_visible()
        here.server.start()
        for page in (cat, dan):
            expect(row(page, f"dan {number}")).to_have_count(1)
            expect(row(page, f"cat {number}")).to_have_count(1)
    stored = the_same(here, "lobby", ("cat", cat), ("dan", dan))
    assert len(stored) == len(set(stored)) == 9, stored
    check()


@scenario
def a_lost_answer(here):
    """The command is stored, and repeated under its id."""
    eve, fay = pair(here, "eve", "fay", "hall")
    lost = []

    def lose(route):
        lost.append(route.request.post_data)
        route.fetch()
        route.abort()

    eve.route("**/api/commands", lose, times=1)
    sent = []
    eve.on("request", lambda request: sent.append(request.post_data) if request.url.endswith("/api/commands") else None)
    say(eve, "answered late")
    expect(row(fay, "answered late")).to_have_count(1)
    until(lambda: lost and eve.locator(".row-pending").count() == 0, "the answer")
    expect(row(eve, "answered late")).to_have_count(1)
    # The same bytes, so the same command.
    until(lambda: eve.evaluate("() => 1") and len(sent) == 2, "the second try")
    assert sent[0] == sent[1] == lost[0], sent
    assert the_same(here, "hall", ("eve", eve), ("fay", fay)).count("answered late") == 1


@scenario
def over_a_reload(here):
    """The outbox and the draft are there again."""
    gil, hal = pair(here, "gil", "hal", "hut")
    gil.route("**/api/commands", lambda route: route.abort())
    for number in range(3):
        say(gil, f"kept {number}")
    expect(row(gil, "kept 2")).to_contain_text("tries again")
    composer(gil).fill("a draft")
    gil.reload()
    for number in range(3):
        expect(row(gil, f"kept {number}")).to_be_visible()
    expect(composer(gil)).to_have_value("a draft")
    gil.unroute("**/api/commands")
    for number in range(3):
        expect(row(hal, f"kept {number}")).to_have_count(1)
    stored = the_same(here, "hut", ("gil", gil), ("hal", hal))
    assert stored[:3] == [f"kept {number}" for number in range(3)], stored


@scenario
def two_tabs_write(here):
    """In one channel, while nothing gets through, and both are loaded again."""
    kim, lee = pair(here, "kim", "lee", "loft")
    second = kim.context.new_page()
    for tab, text in ((kim, "from the first tab"), (second, "from the second tab")):
        tab.route("**/api/commands", lambda route: route.abort())
        if tab is second:
            tab.goto(here.server.url)
        say(tab, text)
        expect(row(tab, text)).to_contain_text("tries again")
    for tab in (kim, second):
        tab.reload()
        expect(row(tab, "from the first tab")).to_be_visible()
        expect(row(tab, "from the second tab")).to_be_visible()
    for tab in (second, kim):
        tab.unroute("**/api/commands")
    for text in ("from the first tab", "from the second tab"):
        expect(row(lee, text)).to_have_count(1)
    stored = the_same(here, "loft", ("kim", kim), ("lee", lee), ("kim", second))
    assert len(stored) == len(set(stored)) == 3, stored


@scenario
def a_refusal(here):
    """A definite refusal: the text can be edited, and is sent under another id; or it is discarded."""
    ida, jon = pair(here, "ida", "jon", "nook")
    here.allow("422")
    sent = []
    ida.on("request", lambda request: sent.append(request.post_data_json["eventId"]) if request.url.endswith("/api/commands") else None)

    def refuse():
        ida.route("**/api/commands", lambda route: route.fulfill(
            status=422, json={"error": {"code": "refused", "message": "a plugin says no"}}), times=1)

    refuse()
    say(ida, "refused text")
    expect(row(ida, "refused text")).to_contain_text("Not sent: a plugin says no")
    row(ida, "refused text").get_by_role("button", name="Edit").click()
    expect(composer(ida)).to_have_value("refused text")
    composer(ida).fill("accepted text")
    composer(ida).press("Enter")
    expect(row(jon, "accepted text")).to_have_count(1)
    assert len(sent) == len(set(sent)) == 2, sent
    refuse()
    say(ida, "never mind")
    row(ida, "never mind").get_by_role("button", name="Discard").click()
    expect(row(ida, "never mind")).to_have_count(0)
    stored = the_same(here, "nook", ("ida", ida), ("jon", jon))
    assert "refused text" not in stored and "never mind" not in stored
    # Nothing of it comes back.
    ida.reload()
    expect(row(ida, "accepted text")).to_be_visible()
    expect(ida.get_by_text(re.compile("never mind|refused text"))).to_have_count(0)


if __name__ == "__main__":
    run()
