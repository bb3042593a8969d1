"""The console by pointer: an operator finds out why a webhook fails and redrives its dead letters; every action of a plugin;
the log; who may not see it."""

import re

from playwright.sync_api import expect

from support.checks import fits
from support.plugins import Receiver, dead_letters, started
from support.server import until
from support.world import run, scenario


def redrive(here, page, words, command):
    """Redrives, in two steps."""
    page.get_by_role("button", name=f"Redrive {words}").click()
    dialog = page.get_by_role("dialog", name=f"Redrive {words}?")
    expect(dialog).to_contain_text(f"crowbar dead-letters retry hook {command}")
    here.axe(page, "console-redrive")
    dialog.get_by_role("button", name=f"Redrive {words}").click()


@scenario
def a_failing_webhook(here):
    server = here.server
    server.admin("ada")
    server.channel("ada", "general")
    with Receiver() as receiver:
        receiver.status, receiver.text = 400, b"the address is wrong"
        started(server, "ada", "hook", receiver.manifest())
        for number in range(3):
            server.command("ada", "SEND_MESSAGE", "general", message=f"letter {number}")
        dead_letters(server, "ada", "hook", 3)

        ada = here.sign_in("ada")
        ada.locator(".account-button").click()
        ada.get_by_role("menuitem", name="Console").click()
        expect(ada.get_by_role("rowheader", name="hook")).to_be_visible()
        expect(ada.locator("tbody .health")).to_contain_text("degraded")
        here.axe(ada, "console")
        ada.get_by_role("link", name="hook", exact=True).click()

        # Why: the receiver's answer.
        expect(ada.get_by_role("heading", name="Dead letters · 3")).to_be_visible()
        expect(ada.locator(".letters").get_by_text("the address is wrong").first).to_be_visible()
        # max_attempts = 1, although the webhook tries most refusals twice.
        expect(ada.locator(".letters").get_by_text("1 attempt,").first).to_be_visible()
        queue = ada.get_by_role("row", name=re.compile("^ci "))
        expect(queue.get_by_role("cell").nth(2)).to_contain_text(re.compile(r"\d+.*ago"))
        here.axe(ada, "console-plugin")
        ada.get_by_role("button", name=re.compile("^Show event")).first.click()
        expect(ada.get_by_role("dialog", name="Dead letter")).to_contain_text("letter 0")
        here.axe(ada, "console-letter")
        ada.keyboard.press("Escape")
        ada.get_by_role("button", name="Send a test event to ci").click()
        expect(ada.get_by_text("Failed: 400")).to_be_visible()

        # Repaired: a test event arrives, one letter is redriven, then the rest.
        receiver.status, receiver.text = 200, b"ok"
        receiver.bodies.clear()
        ada.get_by_role("button", name="Send a test event to ci").click()
        expect(ada.get_by_text("Delivered: 200")).to_be_visible()
        ada.locator(".letters").first.get_by_role("checkbox").first.check()
        redrive(here, ada, "1 dead letter", "")
        expect(ada.get_by_role("heading", name="Dead letters · 2")).to_be_visible()
        redrive(here, ada, "2 dead letters", "--all")
        expect(ada.get_by_role("heading", name="No dead letters")).to_be_visible()
        assert sorted(re.findall(r"letter (\d)", " ".join(receiver.bodies))) == ["0", "1", "2"], receiver.bodies
        expect(ada.get_by_role("heading", name="The last hour")).to_be_visible()
        fits(ada, "the console")
        ada.set_viewport_size({"width": 360, "height": 640})
        fits(ada, "the console at 360 px")


@scenario
def actions_of_a_plugin(here):
    server = here.server
    server.admin("eve")
    server.channel("eve", "lobby")
    # While the plugin restarts it has no answers.
    here.allow("tool/deliveries")
    with Receiver() as receiver:
        started(server, "eve", "tool", receiver.manifest("one", "two"))
        eve = here.sign_in("eve", path="#/plugins/tool")

        def send(text):
            server.command("eve", "SEND_MESSAGE", "lobby", message=text)

        def count(text):
            return len([body for body in receiver.bodies if text in body])

        # Pause holds deliveries back; resume delivers.
        eve.get_by_role("button", name="Pause tool", exact=True).click()
        expect(eve.get_by_role("button", name="Resume tool", exact=True)).to_be_visible()
        send("while paused")
        until(lambda: all(queue["lag"] == 1 for queue in server.plugin("eve", "tool")["queues"]), "the lag")
        assert not receiver.bodies
        here.axe(eve, "console-paused")
        eve.get_by_role("button", name="Resume tool", exact=True).click()
        until(lambda: count("while paused") == 2, "the event after the pause")
        # One queue of two.
        eve.get_by_role("button", name="Pause tool/one").click()
        expect(eve.get_by_role("row", name=re.compile("^one .*paused"))).to_be_visible()
        send("for one of them")
        until(lambda: count("for one of them") == 1, "the event of the other queue")
        eve.get_by_role("button", name="Resume tool/one").click()
        until(lambda: count("for one of them") == 2, "the event of the paused queue")
        # Another process; none; one again.
        process = server.plugin("eve", "tool")["pid"]
        eve.get_by_role("button", name="Restart tool").click()
        eve.get_by_role("dialog").get_by_role("button", name="Cancel").click()
        eve.get_by_role("button", name="Restart tool").click()
        eve.get_by_role("dialog").get_by_role("button", name="Restart").click()
        until(lambda: server.plugin("eve", "tool").get("pid") not in (None, process), "another process")
        eve.get_by_role("button", name="Stop tool").click()
        expect(eve.get_by_role("dialog")).to_contain_text("crowbar plugins stop tool")
        eve.get_by_role("dialog").get_by_role("button", name="Stop").click()
        expect(eve.get_by_role("button", name="Start tool")).to_be_visible()
        send("while stopped")
        eve.get_by_role("button", name="Start tool").click()
        until(lambda: count("while stopped") == 2, "the event after the start")


@scenario
def the_log(here):
    """Levels, and hold still."""
    server = here.server
    server.admin("ivo")
    server.channel("ivo", "den")
    with Receiver() as receiver:
        receiver.status, receiver.text = 500, b"broken"
        started(server, "ivo", "logs", receiver.manifest())
        server.command("ivo", "SEND_MESSAGE", "den", message="first")
        ivo = here.sign_in("ivo", path="#/plugins/logs")
        log = ivo.get_by_role("region", name="Log")
        expect(log).to_contain_text("ready: crowbar-webhook")
        expect(log).to_contain_text("answered 500")
        ivo.get_by_label("From level").select_option("warning")
        expect(log).not_to_contain_text("ready: crowbar-webhook")
        expect(log).to_contain_text("answered 500")
        ivo.get_by_label("From level").select_option("error")
        expect(log).not_to_contain_text("answered 500")
        ivo.get_by_label("From level").select_option("debug")
        expect(log).to_contain_text("answered 500")
        # Held still, it stays as it is while lines come; then it has them.
        ivo.get_by_label("Hold still").check()
        before = log.inner_text()
        server.call("ivo", "/api/admin/plugins/logs/restart", {}, "POST")
        with ivo.expect_response(lambda response: response.status == 200 and "/logs?" in response.url
                                 and '"ready: ' in response.text()):
            pass
        assert log.inner_text() == before
        ivo.get_by_label("Hold still").uncheck()
        expect(log).to_contain_text(re.compile("ready: crowbar-webhook.*ready: crowbar-webhook"))


@scenario
def who_may_not_see_it(here):
    server = here.server
    server.user("bob")
    server.channel("bob", "hut")
    here.allow("403")
    bob = here.sign_in("bob")
    bob.locator(".account-button").click()
    expect(bob.get_by_role("menuitem", name="Settings")).to_be_visible()
    expect(bob.get_by_role("menuitem", name="Console")).to_have_count(0)
    bob.keyboard.press("Escape")
    bob.goto(f"{server.url}/#/plugins")
    expect(bob.get_by_role("heading", name="Only admins see the console")).to_be_visible()
    here.screen(bob, "console-forbidden")
    for section in ("users", "invites", "tokens", "hooks", "views", "audit", "nodes", "replays"):
        bob.goto(f"{server.url}/#/console/{section}")
        refusal = bob.get_by_role("main").get_by_text(re.compile("admin", re.I)).locator("visible=true").first
        expect(refusal).to_be_visible()


@scenario
def no_such_plugin(here):
    here.server.admin("zoe")
    here.allow("404")
    zoe = here.sign_in("zoe", path="#/plugins/nothing")
    expect(zoe.get_by_role("heading", name="There is no such plugin")).to_be_visible()
    here.screen(zoe, "console-no-such-plugin")


if __name__ == "__main__":
    run()
