"""Two people in two browsers and one on IRC hold a conversation, over a restart of the server, without reloading."""

import pathlib
import re
import socket
import subprocess
import time

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
MaxNickLength = 31
MaxPenaltyTime = 0
[Options]
Ident = no
PAM = no
DNS = no
"""


class Person:
    """Somebody with an IRC client."""

    def __init__(self, nick):
        self.socket = socket.create_connection(("127.0.0.1", IRC), timeout=30)
        self.socket.settimeout(0.2)
        self.text = ""
        self.send(f"NICK {nick}", f"USER {nick} 0 * :{nick}")
        until(lambda: " 001 " in self.heard(), "the welcome", detail=self.heard)
        self.send("JOIN #general")
        until(lambda: " 366 " in self.heard(), "the channel", detail=self.heard)

    def send(self, *lines):
        self.socket.sendall("".join(line + "\r\n" for line in lines).encode())

    def say(self, text):
        self.send(f"PRIVMSG #general :{text}")

    def heard(self):
        """All that came so far."""
        try:
            while chunk := self.socket.recv(65536).decode(errors="replace"):
                self.text += chunk
                for token in re.findall(r"^PING (.*)\r$", chunk, re.M):
                    self.send(f"PONG {token}")
        except TimeoutError:
            pass
        return self.text

    def hears(self, text):
        until(lambda: text in self.heard(), f"“{text}” on IRC", detail=lambda: self.text[-2000:])


def act(page, text, action):
    row(page, text).click(button="right", position={"x": 300, "y": 4})
    page.get_by_role("menuitem", name=action).click()


with world() as here:
    server = here.server
    here.expected += [re.compile("ERR_CONNECTION_REFUSED|ERR_FAILED|ERR_INCOMPLETE_CHUNKED|ERR_EMPTY|ERR_CONNECTION_RESET|ERR_ABORTED")]
    folder = pathlib.Path(server.folder)
    (folder / "ngircd.conf").write_text(NGIRCD.format(port=IRC))
    ngircd = subprocess.Popen(["/usr/sbin/ngircd", "-n", "-f", str(folder / "ngircd.conf")],
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for name in ("ann", "bob"):
            server.user(name)
        server.run("user", "add", "ada", "--admin")
        server.tokens["ada"] = server.run("token", "ada")
        server.command("ann", "CREATE_CHANNEL", "general")
        manifest = (ROOT / "plugins.d/irc.toml").read_text()
        (folder / "plugins.d/irc.toml").write_text(re.sub(r"(?m)^port .*$", f"port = {IRC}", manifest, count=1))
        until(lambda: server.call("ada", "/api/admin/plugins/irc")[1].get("state") == "live", "the bridge", detail=server.log)
        rita = Person("rita")
        ann = here.sign_in("ann")
        bob = here.sign_in("bob")
        bob.get_by_role("button", name="Join or create a channel").first.click()
        bob.get_by_role("button", name="Join general").click()

        rita.say("hello from irc")
        for page in (ann, bob):
            expect(row(page, "hello from irc")).to_be_visible()
            expect(row(page, "hello from irc").locator(".badge").first).to_have_text("irc")
        expect(ann.get_by_role("complementary").get_by_role("button", name="rita")).to_have_text(re.compile("^rita"))
        act(ann, "hello from irc", "Reply")
        say(ann, "hello rita, **welcome**")
        rita.hears("hello rita")
        say(bob, "a tpyo")
        rita.hears("a tpyo")
        box = bob.get_by_role("textbox", name="Message general")
        expect(row(bob, "a tpyo")).not_to_have_class(re.compile("row-pending"))
        box.press("ArrowUp")
        box.fill("a typo")
        box.press("Enter")
        rita.hears("a typo")
        expect(row(ann, "a typo").locator(".edited")).to_be_visible()
        act(ann, "a typo", "Add a reaction")
        ann.get_by_role("button", name="🎉").click()
        expect(row(bob, "a typo").locator(".row-body .reaction").first).to_have_attribute("aria-label", "🎉, 1: ann")
        here.picture(ann, "conversation")

        # Over a restart, without reloading. What is written meanwhile comes.
        server.kill()
        expect(ann.get_by_text("Offline since")).to_be_visible()
        say(ann, "written while it was away")
        # Half a minute: the page tries again and again meanwhile.
        time.sleep(30)
        server.start()
        rita.hears("written while it was away")
        expect(row(bob, "written while it was away")).to_have_count(1, timeout=60_000)
        until(lambda: "rita" in server.log() or server.call("ada", "/api/admin/plugins/irc")[1].get("state") == "live", "the bridge again")
        rita.say("still here")
        for page in (ann, bob):
            expect(row(page, "still here")).to_have_count(1)
        assert rita.heard().count("written while it was away") == 1
    finally:
        ngircd.kill()
        ngircd.wait()
