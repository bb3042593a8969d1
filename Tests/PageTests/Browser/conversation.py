"""Two people in two browsers and one on IRC hold a conversation with edits, reactions and a reply, over a restart of the
server, without reloading."""

import re

from playwright.sync_api import expect

from support.acts import act, composer, join, row, say, shown
from support.irc import Network, Person
from support.world import BROKEN, run, scenario


@scenario
def three_people(here):
    server = here.server
    here.allow(BROKEN)
    server.user("ann", "bob")
    server.admin("ada")
    server.channel("ann", "general")
    second = here.launch()
    with Network(server, "ada") as network:
        rita = Person(network, "rita")
        ann, bob = here.sign_in("ann"), here.sign_in("bob", browser=second)
        for page in (ann, bob):
            page.evaluate("() => { window.isTheFirst = true; }")
        join(bob, "general")

        rita.say("hello from irc")
        for page in (ann, bob):
            expect(row(page, "hello from irc")).to_be_visible()
            expect(row(page, "hello from irc").locator(".badge").first).to_have_text("irc")
        expect(ann.get_by_role("complementary").get_by_role("button", name="rita")).to_have_text(re.compile("^rita"))
        act(ann, "hello from irc", "Reply")
        say(ann, "hello rita, **welcome**")
        rita.hears("hello rita")
        expect(row(bob, "hello rita").locator(".quote")).to_contain_text("hello from irc")
        edited(bob, ann, rita, "a tpyo", "a typo")
        reacted(ann, bob, "a typo", "ann")
        here.picture(ann, "conversation")

        # Over a restart. What is written meanwhile comes once, to each of them.
        server.kill()
        for page in (ann, bob):
            expect(page.get_by_text("Offline since")).to_be_visible()
        say(ann, "written while it was away")
        rita.say("said while it was away")
        server.start()
        network.until_live()
        rita.hears("written while it was away")
        expect(row(bob, "written while it was away")).to_have_count(1)
        # The conversation goes on, with all that it had before.
        rita.say("still here")
        for page in (ann, bob):
            expect(row(page, "still here")).to_have_count(1)
        act(bob, "still here", "Reply")
        say(bob, "so am I")
        rita.hears("so am I")
        expect(row(ann, "so am I").locator(".quote")).to_contain_text("still here")
        edited(ann, bob, rita, "wrogn", "wrong")
        reacted(bob, ann, "still here", "bob")
        # A reaction and an edit of before the restart can be changed behind it.
        row(bob, "a typo").locator(".row-body .reaction").first.click()
        expect(row(ann, "a typo").locator(".row-body .reaction").first).to_have_attribute("aria-label", "🎉, 2: ann, bob")
        assert rita.heard().count("written while it was away") == 1
        for page in (ann, bob):
            assert page.evaluate("() => window.isTheFirst === true"), "the page was loaded again"
        last = server.command("ann", "SEND_MESSAGE", "general", message="the end")["eventId"]
        for page in (ann, bob):
            expect(row(page, "the end")).to_be_visible()
        stored = server.messages("ann", "general", last)
        assert len(stored) == len(set(stored)), stored
        for page in (ann, bob):
            assert [text.removesuffix(" (edited)") for text in shown(page)] == [text.replace("**", "") for text in stored], \
                (shown(page), stored)
    second.close()


def edited(writer, reader, rita, wrong, right):
    """Somebody writes and corrects it; the others see both."""
    say(writer, wrong)
    rita.hears(wrong)
    expect(row(writer, wrong)).not_to_have_class(re.compile("row-pending"))
    box = composer(writer)
    box.press("ArrowUp")
    box.fill(right)
    box.press("Enter")
    rita.hears(right)
    expect(row(reader, right).locator(".edited")).to_be_visible()


def reacted(one, other, text, name):
    act(one, text, "Add a reaction")
    one.get_by_role("button", name="🎉", exact=True).click()
    expect(row(other, text).locator(".row-body .reaction").first).to_have_attribute("aria-label", f"🎉, 1: {name}")


if __name__ == "__main__":
    run()
