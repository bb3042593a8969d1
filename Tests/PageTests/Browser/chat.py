"""Two people talk: join, messages, edits, deletion, reactions, replies, commands, private channels, search."""

import re

from playwright.sync_api import expect

from support.acts import act, composer, create, fill, join, opened, row, say
from support.world import run, scenario


@scenario
def two_people_talk(here):
    server = here.server
    server.user("ann", "bob")
    server.command("ann", "RENAME_USER", name="Ann")
    server.channel("ann", "general")
    ann = here.sign_in("ann")
    expect(ann.get_by_role("heading", name="general")).to_be_visible()
    expect(ann.get_by_text("Nothing has been said here yet")).to_be_visible()
    bob = here.sign_in("bob")
    join(bob, "general")
    say(bob, "hello ann")
    expect(row(ann, "hello ann")).to_be_visible()
    expect(row(ann, "hello ann").locator(".name")).to_have_text("bob")
    say(ann, "hello **bob**, see https://example.org/a_b.")
    expect(row(bob, "hello bob").locator("strong")).to_have_text("bob")
    expect(row(bob, "hello bob").locator("a")).to_have_attribute("href", "https://example.org/a_b")

    # Edit by the arrow key; a reply quotes what is there now.
    box = composer(bob)
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
    reactions = [row(page, "hello dear Ann").locator(".row-body .reaction").first for page in (ann, bob)]
    expect(reactions[1]).to_have_attribute("aria-label", "🎉, 1: Ann")
    reactions[1].click()
    expect(reactions[0]).to_have_attribute("aria-label", "🎉, 2: Ann, bob")
    reactions[0].click()
    expect(reactions[0]).to_have_attribute("aria-pressed", "false")
    here.picture(ann, "chat")

    # Delete: it is gone for both, and from the quote.
    act(bob, "hello dear Ann", "Delete")
    bob.get_by_role("button", name="Delete", exact=True).click()
    expect(row(ann, "a reply").locator(".quote")).to_have_text("The original message was deleted.")
    expect(ann.get_by_text("hello dear Ann")).to_have_count(0)


@scenario
def commands(here):
    server = here.server
    server.user("cat", "dan")
    server.channel("cat", "lobby", "dan")
    server.channel("cat", "dev")
    cat, dan = here.sign_in("cat"), here.sign_in("dan")
    opened(cat, "lobby")
    say(cat, "/me waves")
    expect(dan.locator(".row-action")).to_contain_text("waves")
    say(cat, "/topic The **topic**")
    expect(dan.locator(".head-topic")).to_have_text("The **topic**")
    say(cat, "/nick Cat Onymous")
    expect(dan.get_by_role("complementary").get_by_role("button", name="Cat Onymous")).to_be_visible()
    say(cat, "/nothing")
    expect(cat.get_by_role("alert").filter(has_text="There is no command /nothing")).to_be_visible()
    composer(cat).fill("")
    say(cat, "//etc/hosts")
    expect(row(dan, "/etc/hosts")).to_be_visible()
    say(dan, "/join dev")
    expect(dan.get_by_role("heading", name="dev", level=1)).to_be_visible()
    say(dan, "/leave")
    expect(dan.get_by_role("button", name="Join", exact=True)).to_be_visible()
    # What the server refuses is said, and the text stays.
    here.allow("/api/commands")
    say(cat, "/join nowhere")
    expect(cat.get_by_role("alert").filter(has_text="nowhere")).to_be_visible()
    expect(composer(cat)).to_have_value("/join nowhere")


@scenario
def removed_while_it_is_open(here):
    """From a private channel, which is gone then; from a public one, which can still be read; and a channel that is
    deleted."""
    server = here.server
    server.user("eve", "fay")
    server.channel("eve", "hall", "fay")
    eve, fay = here.sign_in("eve"), here.sign_in("fay")
    create(eve, "board", private=True)
    say(eve, "/invite fay")
    expect(fay.get_by_text("invites you to")).to_be_visible()
    here.screen(fay, "invitation")
    fay.get_by_role("button", name="Join", exact=True).click()
    expect(fay.get_by_role("heading", name="board")).to_be_visible()
    say(fay, "among us")
    expect(row(eve, "among us")).to_be_visible()
    composer(fay).fill("half a thought")
    say(eve, "/remove fay")
    expect(fay.get_by_role("heading", name="You were removed from this channel")).to_be_visible()
    here.screen(fay, "removed")
    expect(fay.get_by_role("link", name=re.compile("^board"))).to_have_count(0)
    expect(fay.get_by_text("among us")).to_have_count(0)
    # Nothing that is said there later reaches the page.
    seen = []
    fay.on("response", lambda response: seen.append(response.url) if "board" in response.url else None)
    say(eve, "without fay")
    expect(row(eve, "without fay")).not_to_have_class(re.compile("row-pending"))
    # She has read all of it before she leaves.
    expect(eve.get_by_role("link", name="board, private", exact=True)).to_be_visible()
    opened(eve, "hall")
    say(eve, "to all")
    opened(fay, "hall")
    expect(row(fay, "to all")).to_be_visible()
    assert "without fay" not in fay.content() and not seen, seen

    # From a public channel: it says so, and the messages stay.
    say(eve, "/remove fay")
    expect(fay.get_by_role("alert").filter(has_text="removed you from this channel")).to_be_visible()
    expect(row(fay, "to all")).to_be_visible()
    expect(fay.get_by_role("button", name="Join", exact=True)).to_be_visible()
    here.screen(fay, "not-a-member")
    fay.get_by_role("button", name="Join", exact=True).click()
    say(fay, "back again")
    expect(row(eve, "back again")).to_be_visible()

    # Deleted by its owner, in two steps.
    eve.get_by_role("button", name="More about this channel").click()
    here.axe(eve, "channel-menu")
    here.tree(eve, "channel-menu")
    eve.get_by_role("menuitem", name="Delete this channel…").click()
    here.screen(eve, "delete-channel")
    eve.get_by_role("button", name="Delete the channel").click()
    expect(fay.get_by_role("heading", name="This channel was deleted")).to_be_visible()
    here.screen(fay, "channel-deleted")
    fay.get_by_role("link", name="To your channels").click()
    expect(fay.get_by_role("heading", name="No channels yet").first).to_be_visible()


@scenario
def search(here):
    server = here.server
    server.user("gil", "hal")
    server.channel("gil", "hut", "hal")
    server.channel("hal", "den", "gil")
    # 130 are found: more than one page of results.
    server.many("hal", [{"type": "SEND_MESSAGE", "channelId": "hut", "message": f"a needle, number {number}"} for number in range(130)])
    server.command("gil", "SEND_MESSAGE", "den", message="the other needle")
    server.command("gil", "SEND_MESSAGE", "den", message="hay")
    gil = here.sign_in("gil", path="#/c/hut")
    gil.get_by_role("heading", name="hut", level=1).wait_for()
    gil.get_by_role("link", name="Search").click()
    results = gil.locator(".result")

    def find(**fields):
        fill(gil, **{"Search_for": "", "From": "", **{name: value for name, value in fields.items() if name != "In"}})
        gil.get_by_label("In", exact=True).select_option(fields.get("In", ""))
        gil.get_by_role("button", name="Search", exact=True).click()

    find(Search_for="needle", From="gil")
    expect(results).to_have_count(1)
    expect(results.first.locator("mark")).to_have_text("needle")
    expect(results.first).to_contain_text("in den")
    here.screen(gil, "search-filtered")
    find(Search_for="needle", In="den")
    expect(results).to_have_count(1)
    find(Search_for="nothing of this kind")
    expect(gil.get_by_role("main").get_by_text("Nothing found for")).to_be_visible()
    here.screen(gil, "search-empty")
    find(Search_for="needle", In="hut")
    gil.get_by_role("button", name="More results").wait_for()
    texts = set()
    while True:
        count = results.count()
        texts = set(results.locator(".text").all_inner_texts())
        assert len(texts) == count, "a result is there twice"
        more = gil.get_by_role("button", name="More results")
        if not more.is_visible():
            break
        more.click()
        gil.wait_for_function("(count) => document.querySelectorAll('.result').length > count", arg=count)
    assert texts == {f"a needle, number {number}" for number in range(130)}, len(texts)
    # A result leads to its message, and Back leads to the results, by an address that can be kept.
    results.filter(has_text="number 3").last.locator("a").click()
    expect(gil.locator(".row:focus")).to_contain_text("number 3")
    gil.go_back()
    expect(gil.get_by_label("Search for")).to_have_value("needle")
    expect(results.first).to_be_visible()


@scenario
def names_that_look_alike(here):
    """Two members with names that readers could take for each other are shown with their ids; the others are not."""
    server = here.server
    server.user("lea", "leb", "lec")
    server.command("lea", "RENAME_USER", name="Lea Onymous")
    server.channel("lea", "twins", "leb")
    server.command("lea", "SEND_MESSAGE", "twins", message="a first line")
    page = here.sign_in("leb")
    opened(page, "twins")
    expect(row(page, "a first line").locator(".name-id")).to_have_count(0)
    server.command("lec", "RENAME_USER", name="lea  0nymous")
    server.command("lec", "JOIN_CHANNEL", "twins")
    server.command("lec", "SEND_MESSAGE", "twins", message="it is me")
    expect(row(page, "it is me").locator(".name-id")).to_have_text("lec")
    expect(row(page, "a first line").locator(".name-id")).to_have_text("lea")
    expect(page.get_by_role("complementary").locator(".name-id")).to_have_count(2)
    server.command("lec", "LEAVE_CHANNEL", "twins")
    expect(row(page, "a first line").locator(".name-id")).to_have_count(0)


if __name__ == "__main__":
    run()
