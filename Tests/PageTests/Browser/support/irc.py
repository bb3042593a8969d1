"""A real IRC server (ngIRCd), and somebody with an IRC client."""

import pathlib
import re
import socket
import subprocess

from .server import ROOT, free_port, until

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


class Network:
    """An IRC network that the server's bridge is on."""

    def __init__(self, server, admin):
        self.port = free_port()
        folder = pathlib.Path(server.folder)
        (folder / "ngircd.conf").write_text(NGIRCD.format(port=self.port))
        self.process = subprocess.Popen(["/usr/sbin/ngircd", "-n", "-f", str(folder / "ngircd.conf")],
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        manifest = (ROOT / "plugins.d/irc.toml").read_text()
        server.manifest("irc", re.sub(r"(?m)^port .*$", f"port = {self.port}", manifest, count=1))
        self.server, self.admin = server, admin
        self.until_live()

    def until_live(self):
        until(lambda: self.server.plugin(self.admin, "irc").get("state") == "live", "the bridge is live",
              detail=self.server.log)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()


class Person:
    """Somebody with an IRC client."""

    def __init__(self, network, nick, channel="#general"):
        self.channel = channel
        self.text = ""
        self.socket = until(lambda: self.connected(network.port), "a connection to the IRC server")
        self.socket.settimeout(0.2)
        self.send(f"NICK {nick}", f"USER {nick} 0 * :{nick}")
        until(lambda: " 001 " in self.heard(), "the welcome", detail=self.heard)
        self.send(f"JOIN {channel}")
        until(lambda: " 366 " in self.heard(), "the channel", detail=self.heard)

    @staticmethod
    def connected(port):
        try:
            return socket.create_connection(("127.0.0.1", port), timeout=30)
        except OSError:
            return None

    def send(self, *lines):
        self.socket.sendall("".join(line + "\r\n" for line in lines).encode())

    def say(self, text):
        self.send(f"PRIVMSG {self.channel} :{text}")

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
