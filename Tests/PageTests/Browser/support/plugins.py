"""Plugins: one that posts to a receiver, one that refuses everything."""

import http.server
import json
import os
import pathlib
import sys
import threading

from .server import until

MANIFEST = """
command = ["{folder}/crowbar-webhook"]
{more}
[retry]
max_attempts = 1
[sandbox]
network = true
"""
ENDPOINT = """
[[config.endpoints]]
name = "{name}"
url = "http://127.0.0.1:{port}/{name}"
unsigned = true
types = ["MESSAGE_SENT"]
allow_private = true
{more}
"""


class Receiver:
    """Gets what a webhook posts. `status` and `text` are its answers."""

    def __init__(self):
        self.bodies = []
        self.status = 200
        self.text = b"ok"
        owner = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                status, text = owner.answer(body)
                owner.bodies.append(body)
                self.send_response(status)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *arguments):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def answer(self, body):
        return self.status, self.text

    @property
    def port(self):
        return self.server.server_address[1]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()

    def manifest(self, *endpoints, more="", each=""):
        """A manifest with endpoints that post here."""
        folder = os.path.dirname(os.path.abspath(sys.argv[1]))
        return MANIFEST.format(folder=folder, more=more) + "".join(
            ENDPOINT.format(name=name, port=self.port, more=each) for name in endpoints or ["ci"])


def refusing(server, name, texts, queues=("main",)):
    """The manifest of a plugin that makes each event a dead letter and says hostile things."""
    options = pathlib.Path(server.folder) / f"{name}.json"
    options.write_text(json.dumps({"queues": list(queues), "texts": texts}))
    program = pathlib.Path(server.folder) / "plugins.d" / f"{name}.py"
    program.write_text((pathlib.Path(__file__).parent / "refusing_plugin.py").read_text())
    return f'command = ["/usr/bin/python3", "{program}", "{options}"]\n'


def started(server, admin, plugin, text):
    """Adds a plugin and waits until it is live."""
    server.manifest(plugin, text)
    until(lambda: server.plugin(admin, plugin).get("state") == "live", f"the plugin {plugin} is live", detail=server.log)


def dead_letters(server, admin, plugin, count):
    """Waits until a plugin has so many dead letters."""
    until(lambda: server.plugin(admin, plugin).get("deadLetters") == count, f"{count} dead letters",
          detail=lambda: f"{server.plugin(admin, plugin).get('deadLetters')} {server.log()}")
