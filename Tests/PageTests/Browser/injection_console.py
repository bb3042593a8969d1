"""Hostile content everywhere that the console shows content: what plugins say, what webhooks answer, what people are called."""

import re

from playwright.sync_api import expect

from support.checks import untouched
from support.hostile import NAMES, TEXTS, short
from support.plugins import Receiver, dead_letters, refusing, started
from support.server import until
from support.world import run, scenario


@scenario
def status_log_and_dead_letters(here):
    server = here.server
    server.admin("ada")
    server.channel("ada", "general", channelName=NAMES[0])
    started(server, "ada", "hostile", refusing(server, "hostile", TEXTS))
    ada = here.sign_in("ada", path="#/plugins")
    link = ada.get_by_role("link", name="hostile", exact=True)
    for number, text in enumerate(TEXTS):
        server.command("ada", "SEND_MESSAGE", "general", message=text)
        # Each status in turn: in the list, with the reason of its health.
        until(lambda: server.plugin("ada", "hostile").get("deadLetters") == number + 1, f"dead letter {number}")
        link.wait_for()
        untouched(ada, f"plugin list {number}")
    here.picture(ada, "injection-plugins")
    link.click()
    expect(ada.get_by_role("heading", name=f"Dead letters · {len(TEXTS)}")).to_be_visible()
    letters = ada.locator(".letters").first.get_by_role("listitem")
    expect(letters).to_have_count(len(TEXTS))
    expect(ada.get_by_role("region", name="Log")).to_contain_text("window.pwned = 40")
    untouched(ada, "the plugin")
    here.picture(ada, "injection-plugin")
    for level in ("info", "warning", "error", "debug"):
        ada.get_by_label("From level").select_option(level)
        untouched(ada, f"the log from {level}")
    shows = letters.get_by_role("button")
    for number in range(len(TEXTS)):
        shows.nth(number).click()
        expect(ada.get_by_role("dialog", name="Dead letter")).to_contain_text("MESSAGE_SENT")
        untouched(ada, f"dead letter {number}")
        ada.keyboard.press("Escape")
        expect(ada.get_by_role("dialog")).to_have_count(0)
    ada.set_viewport_size({"width": 360, "height": 640})
    untouched(ada, "the plugin at 360 px")
    here.picture(ada, "injection-plugin-narrow")


@scenario
def answers_of_webhooks(here):
    """In the deliveries, the dead letters, the log, and the result of a test event."""
    server = here.server
    server.admin("eve")
    server.channel("eve", "lobby")
    answers = [short(text, 1000) for text in TEXTS]

    class Hostile(Receiver):
        """Answers each message with a text of the table."""

        def answer(self, body):
            found = re.search(r"answer number (\d+)", body)
            return 400, answers[int(found[1]) if found else 1].encode()

    # An endpoint keeps its last ten deliveries: so many endpoints have all of them.
    names = [f"e{number}" for number in range(3)]
    with Hostile() as receiver:
        started(server, "eve", "hook", receiver.manifest(*names, each='order = "none"'))
        eve = here.sign_in("eve", path="#/plugins/hook")
        count = 0
        for start in range(0, len(answers), 10):
            for number in range(start, min(start + 10, len(answers))):
                server.command("eve", "SEND_MESSAGE", "lobby", message=f"answer number {number}")
                count += len(names)
            dead_letters(server, "eve", "hook", count)
            expect(eve.get_by_role("heading", name=f"Dead letters · {count}")).to_be_visible()
            untouched(eve, f"deliveries from {start}")
        here.picture(eve, "injection-deliveries")
        for page in range(count // 100):
            first = eve.locator(".letter").first.inner_text()
            eve.get_by_role("button", name="Later ones").click()
            expect(eve.locator(".letter").first).not_to_have_text(first)
            untouched(eve, f"dead letters, page {page + 1}")
        eve.get_by_role("button", name="Send a test event to e0").click()
        expect(eve.get_by_text(re.compile("^Failed: 400"))).to_be_visible()
        untouched(eve, "the answer to a test event")


@scenario
def people(here):
    """Users, invites, tokens, the audit log."""
    server = here.server
    server.admin("ivo")
    server.password("ivo")
    for number, name in enumerate(NAMES):
        status, answer = server.call("ivo", "/api/admin/users", {"userId": f"p{number}", "name": name})
        assert status in (200, 201, 400, 422), (name, status, answer)
        status, answer = server.call("ivo", "/api/admin/invites", {"note": short(name, 256)})
        assert status in (200, 201, 400, 422), (name, status, answer)
        status, answer = server.call("ivo", "/api/tokens", {"name": short(name, 64), "scopes": ["read"]})
        assert status in (200, 201, 400, 422), (name, status, answer)
    ivo = here.sign_in("ivo")
    for section, shown in (("users", "p0"), ("invites", "ivo"), ("tokens", "ivo"), ("audit", "ivo"), ("hooks", None)):
        ivo.goto(f"{server.url}/#/console/{section}")
        if shown:
            ivo.get_by_role("table").get_by_text(shown, exact=True).first.wait_for()
        untouched(ivo, section)
        here.picture(ivo, f"injection-{section}")
    ivo.goto(f"{server.url}/#/console/tokens")
    for button in ivo.get_by_role("button", name="Revoke").all()[:len(NAMES)]:
        button.click()
        ivo.get_by_role("dialog").wait_for()
        untouched(ivo, "the question before a token is revoked")
        ivo.keyboard.press("Escape")


if __name__ == "__main__":
    run()
