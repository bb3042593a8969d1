#!/usr/bin/env python3
"""An IRC server by TLS that knows one account, `jilles` with the password `sesame`:
secure_server.py KEY CERTIFICATE MODE [AUTHORITY].

MODE is `tls1` (nothing above TLS 1.1), `certificate` (only clients with a certificate that AUTHORITY signed), or how SASL
goes: `plain`, `external` (a certificate is asked for, and proves the account), `scram`, `impostor` (SCRAM by a server that
does not know the password), `few` (SCRAM with few rounds), `hasty` (SCRAM that ends before it was proved).

Writes its port as its first line, then of each connection what it got: "user jilles by SCRAM-SHA-256", "user -", "refused".
"""
import base64
import hashlib
import hmac
import os
import socket
import ssl
import sys

key, certificate, mode = sys.argv[1:4]
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
if mode == "tls1":
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    context.minimum_version = ssl.TLSVersion.TLSv1
    context.maximum_version = ssl.TLSVersion.TLSv1_1
context.load_cert_chain(certificate, key)
if len(sys.argv) > 4:
    context.load_verify_locations(sys.argv[4])
    context.verify_mode = ssl.CERT_REQUIRED if mode == "certificate" else ssl.CERT_OPTIONAL
mechanism = {"plain": "PLAIN", "external": "EXTERNAL"}.get(mode, "SCRAM-SHA-256")


def say(text):
    print(text, flush=True)


def code(key, text):
    return hmac.new(key, text, hashlib.sha256).digest()


class Connection:
    def __init__(self, raw):
        self.raw = raw
        self.lines = raw.makefile("rb")

    def send(self, line):
        self.raw.sendall(line.encode() + b"\r\n")

    def challenge(self, message):
        self.send("AUTHENTICATE " + (base64.b64encode(message).decode() if message else "+"))

    def answer(self):
        """What the client says, of which each piece but the last has 400 bytes."""
        text = ""
        while True:
            piece = self.lines.readline().decode().split()[1]
            if piece == "*":
                return None
            text += "" if piece == "+" else piece
            if len(piece) < 400:
                return base64.b64decode(text)

    def plain(self):
        self.challenge(b"")
        return self.answer() == b"jilles\0jilles\0sesame"

    def external(self):
        self.challenge(b"")
        return self.answer() == b"" and bool(self.raw.getpeercert())

    def scram(self):
        self.challenge(b"")
        first = self.answer().decode()
        bare = first[3:]
        if not first.startswith("n,,n=jilles,r="):
            return False
        nonce = bare.split("r=")[1] + base64.b64encode(os.urandom(9)).decode()
        salt, rounds = os.urandom(16), 1000 if mode == "few" else 4096
        challenge = "r=%s,s=%s,i=%d" % (nonce, base64.b64encode(salt).decode(), rounds)
        if mode == "hasty":
            return True
        self.challenge(challenge.encode())
        final = self.answer()
        if final is None:
            return False
        without, proof = final.decode().rsplit(",p=", 1)
        salted = hashlib.pbkdf2_hmac("sha256", b"sesame", salt, rounds)
        client = code(salted, b"Client Key")
        everything = ",".join([bare, challenge, without]).encode()
        mask = code(hashlib.sha256(client).digest(), everything)
        expected = bytes(a ^ b for a, b in zip(client, mask))
        if without != "c=biws,r=" + nonce or base64.b64decode(proof) != expected:
            self.challenge(b"e=invalid-proof")
            self.answer()
            return False
        server = code(b"guess" if mode == "impostor" else salted, b"Server Key")
        self.challenge(b"v=" + base64.b64encode(code(server, everything)))
        return self.answer() == b""

    def serve(self):
        account = None
        for raw in self.lines:
            words = raw.decode().rstrip("\r\n").split(" ")
            if words[:2] == ["CAP", "LS"]:
                self.send(":s CAP * LS :sasl=" + mechanism)
            elif words[:2] == ["CAP", "REQ"]:
                self.send(":s CAP * ACK " + " ".join(words[2:]))
            elif words[0] == "AUTHENTICATE" and words[1] == mechanism:
                by = {"PLAIN": self.plain, "EXTERNAL": self.external}.get(mechanism, self.scram)
                if by():
                    account = "jilles"
                    self.send(":s 900 crowbar crowbar!c@h jilles :You are now logged in as jilles")
                    self.send(":s 903 crowbar :SASL authentication successful")
                else:
                    self.send(":s 904 crowbar :SASL authentication failed")
            elif words[:2] == ["CAP", "END"]:
                say("user %s by %s" % (account, mechanism) if account else "user -")
                self.send(":s 001 crowbar :Welcome")
            elif words[0] == "JOIN":
                self.send(":crowbar!crowbar@host JOIN #general")
                self.send(":s 366 crowbar #general :End")
            elif words[0] == "PING":
                self.send(":s PONG s " + words[1])


listener = socket.create_server(("127.0.0.1", 0))
say(listener.getsockname()[1])
while True:
    client, _ = listener.accept()
    try:
        Connection(context.wrap_socket(client, server_side=True)).serve()
    except (OSError, IndexError, AttributeError):
        say("refused")
