"""The pictures of README and docs: made here, and copied from `.build/screenshots` to `docs/images` when they should change.

    cp .build/screenshots/docs-*.png docs/images/
"""

import http.server
import os
import pathlib
import re
import socket
import subprocess
import sys
import threading

from playwright.sync_api import expect
from world import ROOT, free_port, row, say, until, world

IRC = free_port()
NGIRCD = """
[Global]
Name = irc.example.org
Info = test
Listen = 127.0.0.1
Ports = {port}
[Limits]
MaxPenaltyTime = 0
[Options]
Ident = no
PAM = no
DNS = no
"""
HOOK = """
command = ["{folder}/crowbar-webhook"]
[sandbox]
network = true
[[config.endpoints]]
name = "deploy"
url = "http://127.0.0.1:{port}/deploy"
unsigned = true
types = ["MESSAGE_SENT"]
allow_private = true
"""


class Receiver(http.server.BaseHTTPRequestHandler):
    """A webhook's receiver that has moved."""

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        text = b"this address has moved to /hooks/deploy"
        self.send_response(404)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *arguments):
        pass


def rita():
    """Somebody with an IRC client, in #general."""
    client = socket.create_connection(("127.0.0.1", IRC), timeout=30)
    client.sendall(b"NICK rita\r\nUSER rita 0 * :Rita\r\nJOIN #general\r\n")
    heard = b""
    while b" 366 " not in heard:
        chunk = client.recv(65536)
        assert chunk, heard
        heard += chunk
    return client


def act(page, text, action):
    row(page, text).click(button="right", position={"x": 300, "y": 4})
    page.get_by_role("menuitem", name=action).click()


with world() as here:
    server = here.server
    folder = pathlib.Path(server.folder)
    (folder / "ngircd.conf").write_text(NGIRCD.format(port=IRC))
    ngircd = subprocess.Popen(["/usr/sbin/ngircd", "-n", "-f", str(folder / "ngircd.conf")],
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    receiver = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    threading.Thread(target=receiver.serve_forever, daemon=True).start()
    try:
        server.run("user", "add", "ann", "--admin")
        server.tokens["ann"] = server.run("token", "ann")
        server.user("bob")
        for user, name in (("ann", "Ann"), ("bob", "Bob")):
            server.command(user, "RENAME_USER", name=name)
        server.command("ann", "CREATE_CHANNEL", "general", channelDescription="Everything that has no other place")
        server.command("ann", "CREATE_CHANNEL", "release-plans")
        server.command("ann", "CREATE_CHANNEL", "board", private=True)
        server.command("bob", "JOIN_CHANNEL", "general")
        server.command("bob", "JOIN_CHANNEL", "release-plans")
        manifest = (ROOT / "plugins.d/irc.toml").read_text()
        (folder / "plugins.d/irc.toml").write_text(re.sub(r"(?m)^port .*$", f"port = {IRC}", manifest, count=1))
        (folder / "plugins.d/hook.toml").write_text(
            HOOK.format(folder=os.path.dirname(sys.argv[1]), port=receiver.server_address[1]))
        for plugin in ("irc", "hook"):
            until(lambda name=plugin: server.call("ann", f"/api/admin/plugins/{name}")[1].get("state") == "live", plugin, detail=server.log)
        client = rita()
        ann, bob = here.sign_in("ann"), here.sign_in("bob")
        for page in (ann, bob):
            page.goto(f"{server.url}/#/c/general")
        server.command("bob", "SEND_MESSAGE", "release-plans", message="Who writes the notes?")
        say(bob, "The **release** is planned for Monday, see https://example.org/plan.")
        expect(row(ann, "is planned for Monday")).to_be_visible()
        client.sendall(b"PRIVMSG #general :hello from IRC! which version is that?\r\n")
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
        ann.get_by_role("textbox", name="Message general").blur()
        ann.mouse.move(600, 80)
        here.picture(ann, "docs-chat")

        phone = here.sign_in("bob", viewport={"width": 360, "height": 640}, color_scheme="dark")
        phone.goto(f"{server.url}/#/c/general")
        expect(row(phone, "when it is out")).to_be_in_viewport()
        here.picture(phone, "docs-phone")

        ann.goto(f"{server.url}/#/plugins/hook")
        until(lambda: server.call("ann", "/api/admin/dead-letters/hook")[1], "a dead letter", 120, server.log)
        expect(ann.get_by_role("heading", name=re.compile("^Dead letters · "))).to_be_visible()
        expect(ann.locator(".letter").first).to_be_visible()
        here.picture(ann, "docs-console")
        client.close()
    finally:
        receiver.shutdown()
        ngircd.kill()
        ngircd.wait()

made = {path.name for path in here.pictures.glob("docs-*.png")}
kept = {path.name for path in (ROOT / "docs/images").glob("*.png")}
assert made == kept, f"docs/images has {sorted(kept)}, this script makes {sorted(made)}"
named = set(re.findall(r"images/([\w-]+\.png)", (ROOT / "README.md").read_text() + (ROOT / "docs/page.md").read_text()))
assert named == kept, f"README.md and docs/page.md show {sorted(named)}"
