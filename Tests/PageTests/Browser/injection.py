"""Hostile content everywhere that the chat shows content: nothing runs, nothing is loaded, nothing leaves its place."""

import re

from playwright.sync_api import expect

from support.acts import composer, row
from support.checks import untouched
from support.hostile import NAMES, NO_NAMES, REACTIONS, TEXTS, ZALGO
from support.world import run, scenario


def position(text):
    """The event of a text of the table."""
    return f"t{TEXTS.index(text)}"


@scenario
def messages(here):
    server = here.server
    server.user("ann", "bob")
    server.channel("ann", "general", "bob", channelName=NAMES[0], channelDescription=TEXTS[0])
    ann = here.sign_in("ann", path="#/c/general")
    ann.get_by_role("complementary").get_by_role("button", name="bob").wait_for()
    for number, text in enumerate(TEXTS):
        server.command("bob", "SEND_MESSAGE", "general", message=text, eventId=f"t{number}")
    server.command("bob", "SEND_MESSAGE", "general", message="a reply", replyTo="t1")
    for number, text in enumerate(TEXTS):
        server.command("ann", "SEND_MESSAGE", "general", message=f"about {number}", replyTo=f"t{number}")
    # The same by an edit.
    for number, text in enumerate(TEXTS[:20]):
        edited = server.command("bob", "SEND_MESSAGE", "general", message="plain")["eventId"]
        server.command("bob", "EDIT_MESSAGE", "general", messageId=edited, message=text)
    server.command("bob", "SEND_MESSAGE", "general", message="the last one")
    expect(row(ann, "the last one")).to_be_visible()
    untouched(ann, "live")
    here.picture(ann, "injection")

    # A tower of combining marks stays in its own row.
    ann.goto(f"{server.url}/#/c/general/m/{position(ZALGO)}")
    tower = ann.locator(f'[data-event="{position(ZALGO)}"] .row-body')
    tower.wait_for()
    assert tower.bounding_box()["height"] < 200, tower.bounding_box()
    # A link that could be taken for another says where it leads; one with a foreign scheme is no link.
    hints = ann.locator(".link-hint").all_inner_texts()
    for host in ("xn--pple-43d.example", "evil.example"):
        assert any(host in hint for hint in hints), hints
    for text in ("javascript:window.pwned=6", "data://text/html,<script>", "vbscript://x", "file:///etc/passwd"):
        expect(ann.locator(f'[data-event="{position(text)}"]')).to_have_count(1)
        expect(ann.locator(f'[data-event="{position(text)}"] .text a')).to_have_count(0)
    # Control characters are shown, and do not act.
    bell = ann.locator(f'[data-event="{position(next(text for text in TEXTS if text.startswith("bell")))}"]')
    expect(bell).to_contain_text("\u2407")
    expect(bell).to_contain_text("\u241b")
    override = next(text for text in TEXTS if text.startswith("\u202egnp"))
    expect(ann.locator(f'[data-event="{position(override)}"] .control').first).to_have_text("U+202E")
    untouched(ann, "a message")

    # As loaded, found, listed, and on a narrow screen.
    ann.goto(f"{server.url}/#/c/general")
    ann.reload()
    expect(row(ann, "the last one")).to_be_visible()
    untouched(ann, "loaded")
    for words in ("window", "example", "script", "x"):
        ann.goto(f"{server.url}/#/search?q={words}")
        ann.locator(".result").first.wait_for()
        untouched(ann, f"search for {words}")
    ann.goto(f"{server.url}/#/c/general")
    for text, where in ((TEXTS[1], "reply"), (TEXTS[0], "delete")):
        target = ann.locator(f'[data-event="{position(text)}"]')
        ann.goto(f"{server.url}/#/c/general/m/{position(text)}")
        target.wait_for()
        target.click(button="right", position={"x": 250, "y": 4})
        ann.get_by_role("menuitem", name="Reply").click()
        untouched(ann, where)
    # Those that write it: an own message, its edit, and the question before it is deleted.
    for text in (TEXTS[1], TEXTS[6], "javascript:window.pwned=6", override):
        box = composer(ann)
        box.fill(text)
        box.press("Enter")
        expect(ann.locator(".row-pending")).to_have_count(0)
        ann.locator(".row-mine").last.click(button="right", position={"x": 250, "y": 4})
        ann.get_by_role("menuitem", name="Delete…").click()
        ann.get_by_role("dialog").wait_for()
        untouched(ann, "delete")
        ann.keyboard.press("Escape")
        composer(ann).press("ArrowUp")
        untouched(ann, "edit")
        composer(ann).press("Escape")
    ann.set_viewport_size({"width": 360, "height": 640})
    untouched(ann, "narrow")
    here.picture(ann, "injection-narrow")


@scenario
def names_and_topics(here):
    """Names of users and channels, topics, in every list and dialog that has them."""
    server = here.server
    people = [f"n{number}" for number in range(len(NAMES))]
    server.user("cat", *people)
    for name in NO_NAMES:
        assert server.call("cat", "/api/commands", {"type": "RENAME_USER", "name": name})[0] != 200, repr(name)
    server.channel("cat", "lobby", *people)
    for user, name in zip(people, NAMES):
        server.operate("RENAME_USER", userId=user, name=name)
        server.command(user, "SEND_MESSAGE", "lobby", message=f"I am {user}")
        server.command(user, "CREATE_CHANNEL", f"of-{user}", channelName=name, channelDescription=name)
        server.command("cat", "JOIN_CHANNEL", f"of-{user}")
        server.command(user, "SEND_MESSAGE", f"of-{user}", message=f"@cat by @{name}")
        server.command(user, "CREATE_CHANNEL", f"private-{user}", channelName=name, private=True)
        server.command(user, "INVITE_USER", f"private-{user}", invitee="cat")
    cat = here.sign_in("cat", path="#/c/lobby")
    expect(row(cat, f"I am {people[-1]}")).to_be_visible()
    untouched(cat, "the chat")
    here.picture(cat, "injection-names")
    for number, user in enumerate(people):
        server.command(user, "SET_TOPIC", "lobby", topic=TEXTS[number])
        expect(cat.locator(".head-topic")).to_be_visible()
        untouched(cat, f"topic {number}")
        member = cat.locator(".member").nth(number)
        member.click()
        cat.get_by_role("menu").wait_for()
        untouched(cat, f"menu of a member {number}")
        cat.get_by_role("menuitem", name="Remove from this channel…").or_(cat.get_by_role("menuitem").first).last.click()
        untouched(cat, f"removing a member {number}")
        cat.keyboard.press("Escape")
        cat.goto(f"{server.url}/#/c/lobby")
    topics = [TEXTS[1], "\u202e" + "T" * 4000, ZALGO, "https://evil.example/ javascript:x", "\u0007\u001b[31m"]
    for topic in topics:
        server.command("cat", "SET_TOPIC", "lobby", topic=topic)
        untouched(cat, "topic")
    composer(cat).press("@")
    cat.get_by_role("listbox", name="Completions").wait_for()
    untouched(cat, "completion of names")
    composer(cat).fill("")
    composer(cat).press("#")
    cat.get_by_role("listbox", name="Completions").wait_for()
    untouched(cat, "completion of channels")
    composer(cat).fill("")
    cat.keyboard.press("Control+k")
    cat.get_by_role("dialog").wait_for()
    untouched(cat, "the switcher")
    cat.keyboard.press("Escape")
    cat.get_by_role("button", name="Join or create a channel").first.click()
    cat.get_by_role("dialog").wait_for()
    untouched(cat, "the channels")
    cat.keyboard.press("Escape")
    for number, user in enumerate(people):
        cat.goto(f"{server.url}/#/c/of-{user}")
        expect(row(cat, "@cat by")).to_be_visible()
        untouched(cat, f"the channel {number}")
        cat.get_by_role("button", name="More about this channel").click()
        cat.get_by_role("menuitem", name="Set the topic…").click()
        untouched(cat, f"the topic's dialog {number}")
        cat.keyboard.press("Escape")
    cat.goto(f"{server.url}/#/search?q=cat")
    cat.locator(".result").first.wait_for()
    untouched(cat, "search")
    cat.set_viewport_size({"width": 360, "height": 640})
    cat.goto(f"{server.url}/#/c/lobby")
    untouched(cat, "narrow")
    cat.get_by_role("button", name="Channels").click()
    untouched(cat, "narrow channels")


@scenario
def invitations(here):
    server = here.server
    people = [f"i{number}" for number in range(len(NAMES))]
    server.user("dan", *people)
    dan = here.sign_in("dan")
    for user, name in zip(people, NAMES):
        server.operate("RENAME_USER", userId=user, name=name)
        server.command(user, "CREATE_CHANNEL", f"board-{user}", channelName=name, private=True)
        server.command(user, "INVITE_USER", f"board-{user}", invitee="dan")
    expect(dan.get_by_text("invites you to")).to_have_count(len(people))
    untouched(dan, "invitations")
    dan.get_by_role("button", name="Join", exact=True).first.click()
    expect(dan.get_by_text("invites you to")).to_have_count(len(people) - 1)
    untouched(dan, "a private channel")


@scenario
def reactions(here):
    """What the server takes is shown as text; what it refuses is no reaction."""
    server = here.server
    server.user("eve", "fay")
    server.channel("eve", "hall", "fay")
    server.command("eve", "SEND_MESSAGE", "hall", message="react to this", eventId="r1")
    taken = []
    for reaction in REACTIONS:
        status, answer = server.call("fay", "/api/commands", {
            "type": "ADD_REACTION", "channelId": "hall", "messageId": "r1", "reaction": reaction})
        assert status in (200, 400, 422), (reaction, status, answer)
        if status == 200:
            taken.append(reaction)
    assert "👍" in taken and "\u0000" not in taken and len(taken) < len(REACTIONS), taken
    eve = here.sign_in("eve")
    expect(row(eve, "react to this").locator(".row-body .reaction")).to_have_count(len(taken))
    untouched(eve, "reactions")
    row(eve, "react to this").click(button="right", position={"x": 250, "y": 4})
    eve.get_by_role("menu").wait_for()
    untouched(eve, "the menu with reactions")
    here.picture(eve, "injection-reactions")
    # The reader's own: what the server refuses is said.
    eve.get_by_role("menuitem", name="Add a reaction…").click()
    here.allow("/api/commands")
    eve.get_by_label("Another one").fill("<img src=x onerror=window.pwned=31>")
    eve.get_by_role("dialog").get_by_role("button", name="Add", exact=True).click()
    untouched(eve, "a refused reaction")


@scenario
def hooks(here):
    """Programs name themselves in each message."""
    server = here.server
    server.admin("gil")
    server.channel("gil", "hut")
    server.password("gil")
    token = server.call("gil", "/api/admin/hooks", {"name": "ci", "channel": "hut"})[1]["token"]
    for name, text in zip(NAMES * 4, TEXTS):
        status, answer = server.post(f"/hooks/{token}", {"text": text[:4000], "username": name})
        assert status in (200, 204, 400, 422), (status, answer)
    status, _ = server.post(f"/hooks/{token}", {"text": "the last one", "username": "ci"})
    assert status in (200, 204), status
    gil = here.sign_in("gil")
    expect(row(gil, "the last one")).to_be_visible()
    untouched(gil, "messages of a hook")
    here.picture(gil, "injection-hooks")


@scenario
def addresses(here):
    """Addresses are content too; what they name is not there."""
    server = here.server
    server.admin("hal")
    server.channel("hal", "den")
    hal = here.sign_in("hal", path="#/c/den")
    here.allow("around=", "/api/admin/plugins/", "status of 4")
    for hash, there in (
            ("#/c/%3Cscript%3Ewindow.pwned=50%3C/script%3E", "This channel does not exist"), ("#/c/%", "This channel does not exist"),
            ("#/search?q=%3Cimg%20src=x%20onerror=window.pwned=51%3E", "Search"), ("#/plugins/%22%3E%3Cimg%3E", "There is no such plugin"),
            ("#/c/javascript:window.pwned=52", "This channel does not exist"), ("#/console/__proto__", "Plugins"),
            ("#/c/%E2%80%AEevil", "This channel does not exist")):
        hal.goto(f"{server.url}/{hash}")
        hal.get_by_role("heading", name=there).first.wait_for()
        untouched(hal, hash)
    hal.goto(f"{server.url}/#/c/den/m/%00%3Cb%3E")
    expect(hal.get_by_role("alert").filter(has_text=re.compile("exist|malformed|invalid|event", re.I))).to_be_visible()
    untouched(hal, "a message that is not there")


if __name__ == "__main__":
    run()
