"""HTTPS servers for tests, good and bad, under authorities made on the spot.

The first line written is {"ports": {NAME: PORT}, "files": {NAME: PATH}}; then a line for each request: {"server": NAME,
"client": the common name of the client's certificate or null, "version": "TLSv1.3"}. It ends when standard input is closed,
and takes its files away.
"""

import datetime
import json
import os
import shutil
import ssl
import sys
import tempfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

NOW = datetime.datetime.now(datetime.timezone.utc)
DAY = datetime.timedelta(days=1)
folder = tempfile.mkdtemp()
lock = threading.Lock()


def path(name):
    return os.path.join(folder, name)


def name_of(common_name):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def pem_key(key, password=None):
    encryption = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption)


def make(file, subject, authority=None, names=(), start=NOW - DAY, end=NOW + DAY):
    """A certificate and its key as FILE.pem and FILE.key; signed by itself without an authority."""
    key = ec.generate_private_key(ec.SECP256R1())
    builder = (
        x509.CertificateBuilder().subject_name(name_of(subject)).public_key(key.public_key())
        .serial_number(x509.random_serial_number()).not_valid_before(start).not_valid_after(end)
        .issuer_name(authority[0].subject if authority else name_of(subject))
        .add_extension(x509.BasicConstraints(ca=authority is None, path_length=None), critical=True))
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(one) for one in names]), False)
    certificate = builder.sign(authority[1] if authority else key, hashes.SHA256())
    with open(path(file + ".pem"), "wb") as out:
        out.write(certificate.public_bytes(serialization.Encoding.PEM))
    with open(path(file + ".key"), "wb") as out:
        out.write(pem_key(key))
    return certificate, key


def context(file, client_authority=None, least=None, most=None):
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.load_cert_chain(path(file + ".pem"), path(file + ".key"))
    if client_authority:
        made.verify_mode = ssl.CERT_REQUIRED
        made.load_verify_locations(path(client_authority + ".pem"))
    if least:
        made.minimum_version = least
    if most:
        made.maximum_version = most
    return made


class Answer(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *arguments):
        pass

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        certificate = self.connection.getpeercert()
        client = dict(pair[0] for pair in certificate["subject"])["commonName"] if certificate else None
        with lock:
            print(json.dumps({"server": self.server.name, "client": client, "version": self.connection.version()}),
                  flush=True)
        self.send_response(204)
        self.end_headers()


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, name, tls):
        super().__init__(("127.0.0.1", 0), Answer)
        self.name, self.tls = name, tls
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def finish_request(self, request, address):
        if self.tls is None:
            return super().finish_request(request, address)
        with self.tls.wrap_socket(request, server_side=True) as connection:
            self.RequestHandlerClass(connection, address, self)

    def handle_error(self, request, address):
        pass  # A handshake that fails is what is tested.


def main():
    authority, stranger = make("ca", "Test CA"), make("stranger", "Other CA")
    make("good", "good", authority, ["localhost"])
    make("expired", "expired", authority, ["localhost"], NOW - 3 * DAY, NOW - 2 * DAY)
    make("future", "future", authority, ["localhost"], NOW + DAY, NOW + 2 * DAY)
    make("misnamed", "localhost", authority, ["example.org"])
    make("unknown", "unknown", stranger, ["localhost"])
    make("selfsigned", "selfsigned", None, ["localhost"])
    make("client", "crowbar", authority)
    make("false", "impostor", stranger)
    with open(path("both.pem"), "wb") as out:
        for one in ["client.pem", "client.key"]:
            with open(path(one), "rb") as part:
                out.write(part.read())
    with open(path("client.key"), "rb") as part, open(path("locked.key"), "wb") as out:
        out.write(pem_key(serialization.load_pem_private_key(part.read(), None), b"secret"))
    with open(path("none.pem"), "w") as out:
        out.write("this is no certificate\n")
    servers = [Server(name, context(name)) for name in
               ["good", "expired", "future", "misnamed", "unknown", "selfsigned"]]
    servers.append(Server("plain", None))
    servers.append(Server("mutual", context("good", "ca")))
    servers.append(Server("mutual12", context("good", "ca", most=ssl.TLSVersion.TLSv1_2)))
    servers.append(Server("only12", context("good", most=ssl.TLSVersion.TLSv1_2)))
    servers.append(Server("only13", context("good", least=ssl.TLSVersion.TLSv1_3)))
    files = {one: path(one) for one in os.listdir(folder)}
    print(json.dumps({"ports": {one.name: one.server_address[1] for one in servers}, "files": files}), flush=True)
    sys.stdin.read()
    shutil.rmtree(folder)
    os._exit(0)


main()
