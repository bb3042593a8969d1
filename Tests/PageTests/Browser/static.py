"""The page from another place: exported files served by nginx, with the API on another origin; and plain http on a name that
is not local."""

import contextlib
import os
import pathlib
import subprocess
import urllib.request

from playwright.sync_api import expect

from support.acts import act, row, say
from support.server import free_port, until
from support.world import BROKEN, run, scenario

NAME = "page.example"
STATIC = free_port()
NGINX = """
daemon off; master_process off; pid {folder}/nginx.pid; error_log {folder}/nginx.err; worker_processes 1; {user}
events {{}}
http {{
  access_log off; client_body_temp_path {folder}/t1; proxy_temp_path {folder}/t2; fastcgi_temp_path {folder}/t3;
  uwsgi_temp_path {folder}/t4; scgi_temp_path {folder}/t5;
  types {{ text/html html; text/css css; text/javascript js; application/json json; image/svg+xml svg; }}
  server {{ listen 127.0.0.1:{port}; root {folder}/site; location /chat/ {{ alias {folder}/site/; }} }}
}}
"""


@contextlib.contextmanager
def exported(server):
    """The page's files, served by nginx at the root and in a folder."""
    folder = pathlib.Path(server.folder)
    os.chmod(folder, 0o755)
    # Twice: an export over the one before.
    for _ in range(2):
        server.run("page", "export", str(folder / "site"), "--api", server.url)
    user = "user root;" if os.geteuid() == 0 else ""
    (folder / "nginx.conf").write_text(NGINX.format(folder=folder, port=STATIC, user=user))
    nginx = subprocess.Popen(["/usr/sbin/nginx", "-p", str(folder), "-c", str(folder / "nginx.conf")],
                             stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def is_served():
        with contextlib.suppress(OSError):
            return urllib.request.urlopen(f"http://127.0.0.1:{STATIC}/", timeout=5).status == 200
        return False

    try:
        until(is_served, "nginx")
        yield
    finally:
        nginx.kill()
        nginx.wait()


@scenario
def from_another_origin(here):
    server = here.server
    server.user("ann", "bob")
    server.channel("ann", "general", "bob")
    with exported(server):
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
            here.allow("/api/commands")
            say(ann, "/join nowhere")
            expect(ann.get_by_role("alert").filter(has_text="nowhere")).to_be_visible()
        assert ann.evaluate("() => document.querySelector('meta[http-equiv]').content").count(server.url) == 1

        # Another origin is not listed: the page says that the server cannot be reached.
        here.allow("CORS|ERR_FAILED")
        stranger = here.context().new_page()
        stranger.goto(f"http://localhost:{STATIC}/")
        expect(stranger.get_by_role("heading", name="The server cannot be reached")).to_be_visible()

        # The server is away when the page is opened, and comes back: nobody reloads it.
        here.allow(BROKEN)
        server.kill()
        early = here.context().new_page()
        early.goto(f"http://127.0.0.1:{STATIC}/")
        expect(early.get_by_role("heading", name="The server cannot be reached")).to_be_visible()
        server.start()
        expect(early.get_by_role("heading", name="Sign in")).to_be_visible()


@scenario
def plain_http(here):
    """On a name that is not local. What does not work says why, the rest works."""
    server = here.server
    server.user("cat", "dan")
    server.channel("cat", "lobby", "dan")
    dan = here.sign_in("dan")
    url = f"http://{NAME}:{server.port}/"
    plain = here.context().new_page()
    here.sign_in("cat", plain, url=url)
    assert not plain.evaluate("() => isSecureContext || 'locks' in navigator || 'randomUUID' in crypto")
    say(plain, "without a secure context")
    expect(row(dan, "without a secure context")).to_be_visible()
    say(dan, "an answer")
    expect(row(plain, "an answer")).to_be_visible()
    # The clipboard is not there: the text can be copied by hand.
    act(plain, "an answer", "Copy link")
    dialog = plain.get_by_role("dialog", name="Copy this text")
    expect(dialog.get_by_label("Text")).to_have_value(f"{url}#/c/lobby/m/{row(plain, 'an answer').get_attribute('data-event')}")
    here.screen(plain, "copy-by-hand")
    dialog.get_by_role("button", name="Close").click()
    plain.goto(f"{url}#/settings")
    expect(plain.get_by_text("Browsers allow notifications only on https and on localhost.")).to_be_visible()
    here.screen(plain, "plain-http")
    # A host that the server does not know is refused: DNS rebinding.
    here.allow("421")
    assert plain.goto(f"http://other.{NAME}:{server.port}/").status == 421


if __name__ == "__main__":
    run(f'hosts = ["{NAME}"]\ncors = ["http://127.0.0.1:{STATIC}"]\n', name=f"*{NAME}")
