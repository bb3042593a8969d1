"""The console: an operator finds out why a webhook fails, mends it, and redrives its dead letters."""

import http.server
import os
import pathlib
import re
import sys
import threading

from playwright.sync_api import expect
from world import check, say, until, world

REFUSES = threading.Event()
REFUSES.set()


class Receiver(http.server.BaseHTTPRequestHandler):
    """A webhook's receiver that refuses for good, until it is mended."""
    bodies = []

    def do_POST(self):
        self.bodies.append(self.rfile.read(int(self.headers["Content-Length"])).decode())
        text = b"the <b>address</b> is wrong \x1b[31m<img src=x onerror=window.pwned=1>\xe2\x80\xae" + b"w" * 400 if REFUSES.is_set() else b"ok"
        self.send_response(400 if REFUSES.is_set() else 200)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *arguments):
        pass


MANIFEST = """
command = ["{folder}/crowbar-webhook"]
[retry]
max_attempts = 1
[sandbox]
network = true
[[config.endpoints]]
name = "ci"
url = "http://127.0.0.1:{port}/x"
unsigned = true
types = ["MESSAGE_SENT"]
allow_private = true
"""

with world() as here:
    # While the plugin restarts it has no answers.
    here.expected.append(re.compile("hook/deliveries"))
    receiver = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    threading.Thread(target=receiver.serve_forever, daemon=True).start()
    server = here.server
    server.run("user", "add", "ada", "--admin")
    server.tokens["ada"] = server.run("token", "ada")
    server.user("bob")
    server.command("ada", "CREATE_CHANNEL", "general")
    pathlib.Path(f"{server.folder}/plugins.d/hook.toml").write_text(
        MANIFEST.format(folder=os.path.dirname(sys.argv[1]), port=receiver.server_address[1]))
    until(lambda: server.call("ada", "/api/admin/plugins/hook")[1].get("state") == "live", "the webhook", detail=server.log)
    for number in range(3):
        server.command("ada", "SEND_MESSAGE", "general", message=f"<b>letter</b> {number}")
    until(lambda: len(server.call("ada", "/api/admin/dead-letters/hook")[1]) == 3, "three dead letters", 60, server.log)

    ada = here.sign_in("ada")
    ada.locator(".account-button").click()
    ada.get_by_role("menuitem", name="Console").click()
    expect(ada.get_by_role("rowheader", name="hook")).to_be_visible()
    expect(ada.locator("tbody .health")).to_contain_text("degraded")
    here.axe(ada, "console")
    ada.get_by_role("link", name="hook", exact=True).click()

    # Why: the receiver's answer.
    expect(ada.get_by_role("heading", name="Dead letters · 3")).to_be_visible()
    expect(ada.locator(".letters").get_by_text("the <b>address</b> is wrong").first).to_be_visible()
    # max_attempts = 1, although the webhook tries most refusals twice.
    expect(ada.locator(".letters").get_by_text("1 attempt,").first).to_be_visible()
    queue = ada.get_by_role("row", name=re.compile("^ci "))
    expect(queue.get_by_role("cell").nth(2)).to_contain_text(re.compile(r"\d+.*ago"))
    here.axe(ada, "console-plugin")
    check(ada, "the webhook's answer, dead letters and log lines")
    ada.get_by_role("button", name=re.compile("^Show event")).first.click()
    expect(ada.get_by_role("dialog", name="Dead letter")).to_contain_text("<b>letter</b>")
    check(ada, "a dead letter")
    ada.keyboard.press("Escape")
    ada.get_by_role("button", name="Send a test event to ci").click()
    expect(ada.get_by_text("Failed: 400")).to_be_visible()

    # Mended: a test event arrives, one letter is redriven, then the rest.
    REFUSES.clear()
    Receiver.bodies.clear()
    ada.get_by_role("button", name="Send a test event to ci").click()
    expect(ada.get_by_text("Delivered: 200")).to_be_visible()
    ada.get_by_role("checkbox").first.check()
    ada.get_by_role("button", name="Redrive 1 dead letter").click()
    expect(ada.get_by_role("dialog")).to_contain_text("crowbar dead-letters retry hook ")
    here.axe(ada, "console-redrive")
    ada.get_by_role("dialog").get_by_role("button", name="Redrive 1 dead letter").click()
    expect(ada.get_by_role("heading", name="Dead letters · 2")).to_be_visible()
    ada.get_by_role("button", name="Redrive 2 dead letters").click()
    expect(ada.get_by_role("dialog")).to_contain_text("crowbar dead-letters retry hook --all")
    ada.get_by_role("dialog").get_by_role("button", name="Redrive 2 dead letters").click()
    expect(ada.get_by_role("heading", name="No dead letters")).to_be_visible()
    assert sorted(re.findall(r"letter</b> (\d)", " ".join(Receiver.bodies))) == ["0", "1", "2"], Receiver.bodies

    # Pause holds deliveries back, also by keyboard; resume delivers.
    ada.get_by_role("button", name="Pause hook", exact=True).focus()
    ada.keyboard.press("Enter")
    expect(ada.get_by_role("button", name="Resume hook", exact=True)).to_be_focused()
    seen = len(Receiver.bodies)
    server.command("ada", "SEND_MESSAGE", "general", message="while paused")
    until(lambda: server.call("ada", "/api/admin/plugins/hook")[1]["queues"][0]["lag"] == 1, "the lag")
    assert len(Receiver.bodies) == seen
    here.picture(ada, "console-paused")
    ada.keyboard.press("Enter")
    until(lambda: any("while paused" in body for body in Receiver.bodies), "the event after the pause")
    process = server.call("ada", "/api/admin/plugins/hook")[1]["pid"]
    ada.get_by_role("button", name="Restart hook").click()
    ada.get_by_role("dialog").get_by_role("button", name="Restart").click()
    until(lambda: server.call("ada", "/api/admin/plugins/hook")[1].get("pid") not in (None, process), "another process")
    expect(ada.get_by_role("region", name="Log")).to_contain_text("ready")

    # A replay with its progress: refused without the check, then all events come again.
    Receiver.bodies.clear()
    ada.get_by_text("Deliver part of the log again").click()
    ada.get_by_role("button", name="Start the replay").click()
    expect(ada.get_by_text("Confirm that the events are delivered a second time.")).to_be_visible()
    ada.get_by_label("I know that hook gets these events a second time").check()
    ada.get_by_role("button", name="Start the replay").click()
    expect(ada.get_by_role("region", name="Replays").get_by_text("done")).to_be_visible()
    expect(ada.get_by_role("region", name="Replays").get_by_text("100 %")).to_be_visible()
    assert len([body for body in Receiver.bodies if "letter</b>" in body]) == 3, Receiver.bodies
    # A slow one is cancelled, in two steps.
    ada.get_by_role("spinbutton", name="Events a second").fill("0.01")
    ada.get_by_label("I know that hook gets these events a second time").check()
    ada.get_by_role("button", name="Start the replay").click()
    ada.get_by_role("button", name="Stop the replay of hook").click()
    here.axe(ada, "console-replay")
    ada.get_by_role("dialog").get_by_role("button", name="Stop", exact=True).click()
    expect(ada.get_by_role("region", name="Replays").get_by_text("cancelled")).to_be_visible()
    # The last hour.
    expect(ada.get_by_role("heading", name="The last hour")).to_be_visible()
    here.axe(ada, "console-operated")

    ada.set_viewport_size({"width": 360, "height": 640})
    wide = ada.evaluate("() => document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert wide <= 0, f"the console is {wide} px too wide"

    # Who is no admin sees why.
    here.expected.append(re.compile("403"))
    bob = here.sign_in("bob")
    bob.goto(f"{server.url}/#/plugins")
    expect(bob.get_by_role("heading", name="Only admins see the console")).to_be_visible()
    receiver.shutdown()
