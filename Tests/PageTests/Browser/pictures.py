"""The pictures of README and docs: made here, and copied from `.build/screenshots` to `docs/images` when they should change.

    cp .build/screenshots/docs-*.png docs/images/
"""

import re

from playwright.sync_api import expect

from support.acts import act, composer, row, say
from support.irc import Network, Person
from support.plugins import Receiver, dead_letters, started
from support.server import ROOT
from support.world import run, scenario


@scenario
def of_the_chat_and_the_console(here):
    server = here.server
    server.admin("ann")
    server.user("bob")
    for user, name in (("ann", "Ann"), ("bob", "Bob")):
        server.command(user, "RENAME_USER", name=name)
    server.channel("ann", "general", "bob", channelDescription="Everything that has no other place")
    server.channel("ann", "release-plans", "bob")
    server.command("ann", "CREATE_CHANNEL", "board", private=True)
    with Network(server, "ann") as network, Receiver() as receiver:
        receiver.status, receiver.text = 404, b"this address has moved to /hooks/deploy"
        started(server, "ann", "hook", receiver.manifest("deploy"))
        rita = Person(network, "rita")
        ann, bob = (here.sign_in(user, path="#/c/general") for user in ("ann", "bob"))
        server.command("bob", "SEND_MESSAGE", "release-plans", message="Who writes the notes?")
        say(bob, "The **release** is planned for Monday, see https://example.org/plan.")
        expect(row(ann, "is planned for Monday")).to_be_visible()
        rita.say("hello from IRC! which version is that?")
        expect(row(ann, "hello from IRC")).to_be_visible()
        act(ann, "hello from IRC", "Reply")
        say(ann, "This one:\n```swift\nlet version = \"1.0\"\n```")
        expect(row(bob, "This one")).to_be_visible()
        act(bob, "This one", "Add a reaction")
        bob.get_by_role("button", name="🎉").click()
        say(bob, "I'll tell @Ann when it is out")
        expect(ann.locator(".mention-me")).to_be_visible()
        expect(ann.locator(".row-body .reaction")).to_be_visible()
        expect(ann.get_by_role("link", name="release-plans, 1 unread")).to_be_visible()
        expect(ann.get_by_role("link", name="general", exact=True)).to_be_visible()
        composer(ann).blur()
        ann.mouse.move(600, 80)
        here.picture(ann, "docs-chat")

        phone = here.sign_in("bob", path="#/c/general", viewport={"width": 360, "height": 640}, color_scheme="dark")
        expect(row(phone, "when it is out")).to_be_in_viewport()
        here.picture(phone, "docs-phone")

        ann.goto(f"{server.url}/#/plugins/hook")
        dead_letters(server, "ann", "hook", 5)
        expect(ann.get_by_role("heading", name=re.compile("^Dead letters · 5"))).to_be_visible()
        expect(ann.locator(".letter").first).to_be_visible()
        here.picture(ann, "docs-console")


@scenario
def the_documents_show_them(here):
    made = {path.name for path in here.pictures.glob("docs-*.png")}
    kept = {path.name for path in (ROOT / "docs/images").glob("*.png")}
    assert made == kept, f"docs/images has {sorted(kept)}, this script makes {sorted(made)}"
    texts = (ROOT / "README.md").read_text() + (ROOT / "docs/page.md").read_text()
    named = set(re.findall(r"images/([\w-]+\.png)", texts))
    assert named == kept, f"README.md and docs/page.md show {sorted(named)}"


if __name__ == "__main__":
    run()
