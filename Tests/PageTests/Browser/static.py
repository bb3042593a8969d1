"""The page from another place: exported files served by nginx, with the API on another origin; and plain http on a name that
is not local."""

import os
import pathlib
import re
import subprocess
import urllib.request

from playwright.sync_api import expect
from world import free_port, row, say, until, world

NAME = "page.example"
STATIC = free_port()

NGINX = """
daemon off; pid {folder}/nginx.pid; error_log {folder}/nginx.err; worker_processes 1; {user}
events {{}}
http {{
  access_log off; client_body_temp_path {folder}/t1; proxy_temp_path {folder}/t2; fastcgi_temp_path {folder}/t3;
  uwsgi_temp_path {folder}/t4; scgi_temp_path {folder}/t5;
  types {{ text/html html; text/css css; text/javascript js; application/json json; image/svg+xml svg; }}
  server {{ listen 127.0.0.1:{port}; root {folder}/site; location /chat/ {{ alias {folder}/site/; }} }}
}}
"""


def is_served():
    try:
        return urllib.request.urlopen(f"http://127.0.0.1:{STATIC}/", timeout=5).status == 200
    except OSError:
        return False


with world(f'hosts = ["{NAME}"]\ncors = ["http://127.0.0.1:{STATIC}"]\n', name=NAME) as here:
    server = here.server
    for name in ("ann", "bob"):
        server.user(name)
    server.command("ann", "CREATE_CHANNEL", "general")
    server.command("bob", "JOIN_CHANNEL", "general")

    # Exported, served by nginx, at the root and in a folder.
    folder = pathlib.Path(server.folder)
    os.chmod(folder, 0o755)
    server.run("page", "export", str(folder / "site"), "--api", server.url)
    server.run("page", "export", str(folder / "site"), "--api", server.url)
    user = "user root;" if os.geteuid() == 0 else ""
    (folder / "nginx.conf").write_text(NGINX.format(folder=folder, port=STATIC, user=user))
    nginx = subprocess.Popen(["/usr/sbin/nginx", "-p", str(folder), "-c", str(folder / "nginx.conf")])
    try:
        until(is_served, "nginx")
        bob = here.sign_in("bob")
        for path in ("/", "/chat/"):
            ann = here.context().new_page()
            here.sign_in("ann", ann, url=f"http://127.0.0.1:{STATIC}{path}")
            expect(ann.get_by_role("heading", name="general")).to_be_visible()
            say(ann, f"from a static host {path}")
            expect(row(bob, f"from a static host {path}")).to_be_visible()
            say(bob, f"an answer {path}")
            expect(row(ann, f"an answer {path}")).to_be_visible()
            # A refusal can be read across origins too, and live updates go on behind it.
            say(ann, "/join nowhere")
            here.expected.append(re.compile("/api/commands"))
            expect(ann.get_by_role("alert").filter(has_text="nowhere")).to_be_visible()
        assert ann.evaluate("() => document.querySelector('meta[http-equiv]').content").count(server.url) == 1

        # Another origin is not listed: the page says that the server cannot be reached.
        here.expected.append(re.compile("CORS|ERR_FAILED"))
        stranger = here.context().new_page()
        stranger.goto(f"http://localhost:{STATIC}/")
        expect(stranger.get_by_role("heading", name="The server cannot be reached")).to_be_visible()
    finally:
        nginx.kill()
        nginx.wait()

    # Plain http on a name that is not local: what does not work says why, the rest works.
    plain = here.context().new_page()
    here.sign_in("ann", plain, url=f"http://{NAME}:{server.port}/")
    assert not plain.evaluate("() => isSecureContext")
    say(plain, "without a secure context")
    expect(row(bob, "without a secure context")).to_be_visible()
    plain.goto(f"http://{NAME}:{server.port}/#/settings")
    expect(plain.get_by_text("Browsers allow notifications only on https and on localhost.")).to_be_visible()
    here.axe(plain, "plain-http")
