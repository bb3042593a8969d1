"""Dead letters in the console: of private channels, more than a page of them, of several queues."""

import re

from playwright.sync_api import expect

from support.plugins import Receiver, dead_letters, refusing, started
from support.world import run, scenario

SECRET = "the secret of the board"


def audit(server, user):
    """What the audit log has of contents that were shown."""
    return [line for line in server.call(user, "/api/admin/audit?limit=100")[1] if "dead" in line["action"]]


@scenario
def private_content_takes_a_second_step(here):
    server = here.server
    server.admin("ada")
    server.user("bob")
    server.password("ada")
    server.channel("bob", "general", "ada")
    server.command("bob", "CREATE_CHANNEL", "board", private=True)
    with Receiver() as receiver:
        receiver.status, receiver.text = 400, b"refused it"
        started(server, "ada", "hook", receiver.manifest(more='private = true\nchannels = ["*", "board"]'))
        server.command("bob", "SEND_MESSAGE", "general", message="known to all")
        server.command("bob", "SEND_MESSAGE", "board", message=SECRET)
        dead_letters(server, "ada", "hook", 2)
        ada = here.sign_in("ada", path="#/plugins/hook")
        expect(ada.get_by_role("heading", name="Dead letters · 2")).to_be_visible()
        letters = ada.locator(".letters").first.get_by_role("listitem")
        # The plugin reads private channels: what it says may be of them, so nothing of any letter is in the list.
        expect(letters.filter(has_text="its content is shown on request only")).to_have_count(2)
        assert SECRET not in ada.content() and "known to all" not in ada.content()
        assert all("refused it" not in text for text in letters.all_inner_texts())
        hidden = letters.nth(1)
        before = len(audit(server, "ada"))

        # Cancelled: nothing is shown and nothing is noted.
        show = hidden.get_by_role("button", name=re.compile("^Show content of event"))
        show.click()
        dialog = ada.get_by_role("dialog", name="Show the content?")
        here.screen(ada, "console-private-letter")
        dialog.get_by_role("button", name="Cancel").click()
        expect(ada.get_by_role("dialog")).to_have_count(0)
        assert SECRET not in ada.content() and len(audit(server, "ada")) == before

        show.click()
        dialog.get_by_role("button", name="Show content").click()
        expect(ada.get_by_role("dialog", name="Dead letter")).to_contain_text(SECRET)
        here.picture(ada, "console-private-content")
        noted = audit(server, "ada")
        assert len(noted) == before + 1 and noted[0]["userId"] == "ada", noted
        ada.keyboard.press("Escape")
        expect(ada.get_by_role("dialog")).to_have_count(0)
        # Closed again it is gone from the page.
        assert SECRET not in ada.content()


@scenario
def more_than_a_page(here):
    server = here.server
    server.admin("eve")
    server.channel("eve", "many")
    count = 230
    started(server, "eve", "pages", refusing(server, "pages", ["no"], ["one", "two"]))
    server.many("eve", [{"type": "SEND_MESSAGE", "channelId": "many", "message": f"letter {number}."} for number in range(count // 2)])
    dead_letters(server, "eve", "pages", count)
    eve = here.sign_in("eve", path="#/plugins/pages")
    letters = eve.locator(".letters").first.get_by_role("listitem")
    later, earlier = (eve.get_by_role("button", name=f"{name} ones") for name in ("Later", "Earlier"))

    def left(number):
        title = f"Dead letters · {number}" if number else "No dead letters"
        expect(eve.get_by_role("heading", name=title)).to_be_visible()

    def key(text):
        return re.search(r"letter (\d+)\.", text)[1], re.search(r" (one|two) · ", text)[1]

    # All pages together have each letter once.
    left(count)
    pages = []
    for size in (100, 100, 30):
        expect(letters).to_have_count(size)
        pages.append([key(text) for text in letters.locator(".check").all_inner_texts()])
        if size == 100:
            later.click()
            expect(letters.filter(has_text=f"letter {pages[-1][0][0]}.").filter(has_text=f" {pages[-1][0][1]} · ")).to_have_count(0)
    expect(later).to_be_hidden()
    assert len(set(sum(pages, []))) == count, "a letter is missing, or on two pages"

    def chosen(letter):
        return letters.filter(has_text=f"letter {letter[0]}.").filter(has_text=f" {letter[1]} · ").get_by_role("checkbox")

    # Some of the last page; the others stay. Then the first page again, and back from the second.
    for letter in pages[2][:3]:
        chosen(letter).check()
    act(eve, "Redrive 3 dead letters")
    left(count - 3)
    expect(letters).to_have_count(100)
    expect(earlier).to_be_hidden()
    chosen(pages[0][0]).wait_for()
    later.click()
    chosen(pages[1][0]).wait_for()
    earlier.click()
    chosen(pages[0][0]).wait_for()
    # What is chosen on one page is not done on another.
    chosen(pages[0][1]).check()
    later.click()
    chosen(pages[1][0]).wait_for()
    expect(eve.get_by_role("button", name=f"Redrive {count - 3} dead letters")).to_be_visible()
    earlier.click()

    # One is dropped, in two steps, then all others are delivered.
    chosen(pages[0][2]).check()
    eve.get_by_role("button", name="Drop 1 dead letter").click()
    here.screen(eve, "console-drop")
    eve.get_by_role("dialog").get_by_role("button", name="Cancel").click()
    left(count - 3)
    act(eve, "Drop 1 dead letter")
    left(count - 4)
    act(eve, f"Redrive {count - 4} dead letters")
    left(0)
    dead_letters(server, "eve", "pages", 0)


def act(page, label):
    """Does what a button says, in two steps."""
    page.get_by_role("button", name=label).click()
    page.get_by_role("dialog", name=f"{label}?").get_by_role("button", name=re.compile(f"^({label}|{label.split()[0]})$")).click()


if __name__ == "__main__":
    run()
