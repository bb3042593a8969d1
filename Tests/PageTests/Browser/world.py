"""A server of its own and browsers, for the scripts that test the web page.

Each script gets the path of the `crowbar` binary and a port of its own as its arguments. CROWBAR_PAGE_FILES=Sources/CrowbarPage/Files serves
the page's files from the tree, so that a change needs no build; screenshots go to the folder CROWBAR_SCREENSHOTS.
"""

import contextlib
import http.client
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect, sync_playwright

ROOT = pathlib.Path(__file__).resolve().parents[3]
TYPES = {"html": "text/html; charset=utf-8", "css": "text/css; charset=utf-8", "js": "text/javascript; charset=utf-8",
         "svg": "image/svg+xml"}
# Milliseconds that anything may take on a loaded machine.
PATIENCE = int(os.environ.get("CROWBAR_PATIENCE", "40000"))


def free_port():
    """A port that is free now, for a run by hand."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    """The real server in a folder of its own."""

    def __init__(self, binary, more="", files=None):
        self.binary = binary
        self.folder = tempfile.mkdtemp(prefix="crowbar-page-")
        self.port = int(sys.argv[2]) if len(sys.argv) > 2 else free_port()
        os.mkdir(f"{self.folder}/plugins.d")
        pathlib.Path(f"{self.folder}/crowbar.toml").write_text(
            f'data = "d"\nplugins = "plugins.d"\n[http]\nlisten = "127.0.0.1:{self.port}"\n{more}')
        for name, text in (files or {}).items():
            pathlib.Path(f"{self.folder}/{name}").write_text(text)
            os.chmod(f"{self.folder}/{name}", 0o600)
        self.process = None
        self.tokens = {}
        self.start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def start(self):
        """Starts it and waits until it answers."""
        with open(f"{self.folder}/serve.log", "ab") as log:
            self.process = subprocess.Popen(
                [self.binary, "serve"], cwd=self.folder, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        until(self.is_ready, "the server's start", detail=self.log)

    def is_ready(self):
        with contextlib.suppress(OSError):
            return urllib.request.urlopen(f"{self.url}/readyz", timeout=5).status == 200
        return False

    def log(self):
        return pathlib.Path(f"{self.folder}/serve.log").read_text()[-3000:]

    def kill(self):
        """Ends it as a crash would."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def close(self):
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def unread(self, user, channel):
        return self.call(user, "/views/unread.json")[1][channel]["unread"]

    def run(self, *arguments):
        """Runs a verb of the command line."""
        done = subprocess.run([self.binary, *arguments], cwd=self.folder, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, f"{arguments}: {done.stderr}"
        return done.stdout.strip()

    def user(self, name, *options):
        """Adds a user and gives a token."""
        self.run("user", "add", name, *options)
        self.tokens[name] = self.run("token", name)
        return self.tokens[name]

    def call(self, user, path, body=None):
        """Makes a call as a user; gives status and JSON."""
        request = urllib.request.Request(
            self.url + path, data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {self.tokens[user]}"})
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                text = answer.read()
                return answer.status, json.loads(text) if text else None
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read() or b"null")

    def command(self, user, type, channel=None, **fields):
        """Sends a command that must be stored."""
        body = {"type": type, **fields, **({"channelId": channel} if channel else {})}
        status, answer = self.call(user, "/api/commands", body)
        assert status == 200, f"{body}: {answer}"
        return answer

    def operate(self, type, **fields):
        """Sends a command by the command line's socket, whose names are as free as those that plugins bring."""
        key = pathlib.Path(f"{self.folder}/d/admin.key").read_text().strip()
        connection = http.client.HTTPConnection("localhost", timeout=20)
        connection.sock = socket.socket(socket.AF_UNIX)
        connection.sock.connect(f"{self.folder}/d/crowbar.sock")
        connection.request("POST", "/api/commands", json.dumps({"type": type, **fields}), {"Authorization": f"Bearer {key}"})
        answer = connection.getresponse()
        text = answer.read()
        connection.close()
        assert answer.status == 200, f"{fields}: {text}"

    def many(self, user, commands):
        """Sends many commands in one body."""
        request = urllib.request.Request(
            f"{self.url}/api/commands", data="\n".join(json.dumps(one) for one in commands).encode(),
            headers={"Authorization": f"Bearer {self.tokens[user]}", "Content-Type": "application/x-ndjson"})
        with urllib.request.urlopen(request, timeout=60) as answer:
            lines = [json.loads(line) for line in answer.read().splitlines()]
        assert all("eventId" in line for line in lines), lines[:3]

    def messages(self, user, channel, after):
        """The texts of a channel, once it has an event."""
        status, answer = self.call(user, f"/views/messages/{channel}.json?limit=500&wait=10s&min={after}")
        assert status == 200, answer
        return [message["text"] for message in answer["messages"]]


def until(condition, what, seconds=60, detail=lambda: ""):
    """Waits until something is so."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(0.02)
    raise AssertionError(f"{what} did not come in time. {detail()}")


class World:
    """A server and a browser. Console errors and violations of the content security policy fail the script."""

    def __init__(self, more="", name="page.example", files=None):
        # The test runner's children inherit a blocked SIGTERM.
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGTERM, signal.SIGINT])
        expect.set_options(timeout=PATIENCE)
        self.server = Server(sys.argv[1], more, files)
        self.playwright = sync_playwright().start()
        self.browser = self.playwright.chromium.launch(
            executable_path="/usr/bin/chromium", args=[f"--host-resolver-rules=MAP {name} 127.0.0.1"])
        self.faults = []
        # What the browser says about requests that a script lets fail on purpose.
        self.expected = []
        self.pictures = pathlib.Path(os.environ.get("CROWBAR_SCREENSHOTS", ROOT / ".build/screenshots"))
        self.pictures.mkdir(parents=True, exist_ok=True)

    def context(self, **options):
        """A browser profile of its own."""
        context = self.browser.new_context(**{"viewport": {"width": 1200, "height": 760}, "locale": "en-GB", **options})
        context.set_default_timeout(PATIENCE)
        context.add_init_script(
            "addEventListener('securitypolicyviolation', (event) => console.error('CSP', event.violatedDirective, "
            "event.blockedURI))")
        if os.environ.get("CROWBAR_PAGE_FILES"):
            context.route(re.compile(r"^http://127\.0\.0\.1:\d+/(\?.*)?$|/p/[^/]+/|/config\.json$"), self.serve)
        context.on("page", self.watch)
        return context

    def serve(self, route):
        """Answers a request for a file of the page from the tree."""
        path = re.sub(r"^https?://[^/]+/(p/[^/]+/)?", "", route.request.url).split("?")[0] or "index.html"
        if path == "config.json":
            route.fulfill(body='{"api":""}', content_type="application/json")
            return
        folder = pathlib.Path(os.environ["CROWBAR_PAGE_FILES"])
        text = (folder / path).read_text()
        text = text.replace("{{modules}}", "").replace("{{release}}", "dev")
        route.fulfill(body=text, content_type=TYPES[path.rsplit(".", 1)[1]], headers={
            "Content-Security-Policy":
                "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
                "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"})

    def watch(self, page):
        page.on("pageerror", lambda error: self.faults.append(f"{page.url}: {error}"))

        def console(message):
            where = message.location.get("url", "")
            is_expected = any(one.search(where) or one.search(message.text) for one in self.expected)
            if message.type == "error" and not is_expected:
                self.faults.append(f"{page.url}: {message.text} ({where})")
        page.on("console", console)

    def sign_in(self, user, page=None, url=None, **options):
        """Opens the page and signs in by a token."""
        page = page or self.context(**options).new_page()
        page.goto(url or self.server.url + "/")
        details = page.locator("details", has_text="Sign in with a token")
        details.wait_for()
        if details.get_attribute("open") is None:
            details.locator("summary").click()
        form = page.locator("form", has=page.get_by_label("Token"))
        form.get_by_label("Token").fill(self.server.tokens[user])
        form.get_by_role("button", name="Sign in").click()
        page.locator(".shell").wait_for()
        return page

    def picture(self, page, name):
        page.screenshot(path=str(self.pictures / f"{name}.png"))

    def axe(self, page, name):
        """Checks a screen in both themes, with a picture of each."""
        for theme in ("light", "dark"):
            page.evaluate("(theme) => { document.documentElement.dataset.theme = theme; }", theme)
            self.picture(page, f"{name}-{theme}")
            found = Axe().run(page)
            problems = [f"{one['id']}: {one['help']}: {[node['html'][:160] for node in one['nodes'][:3]]} "
                        f"{one['nodes'][0].get('failureSummary', '')}" for one in found.response["violations"]]
            assert not problems, f"axe on {name}, {theme}: " + "\n".join(problems)
        page.evaluate("() => { delete document.documentElement.dataset.theme; }")

    def close(self):
        self.browser.close()
        self.playwright.stop()
        self.server.close()


@contextlib.contextmanager
def world(more="", **options):
    """Runs a script's world; fails if the browser complained."""
    here = World(more, **options)
    try:
        yield here
        assert not here.faults, "the browser complained:\n" + "\n".join(here.faults)
    except BaseException:
        print("\n".join(here.faults), file=sys.stderr)
        with contextlib.suppress(Exception):
            for number, context in enumerate(here.browser.contexts):
                for page in context.pages:
                    here.picture(page, f"failed-{pathlib.Path(sys.argv[0]).stem}-{number}")
                    print(page.url, page.locator("body").aria_snapshot()[:4000], file=sys.stderr)
        raise
    finally:
        here.close()


def say(page, text):
    """Sends a message from the open channel."""
    box = page.get_by_role("textbox", name=re.compile("^Message "))
    box.fill(text)
    box.press("Enter")


def row(page, text):
    """The row of a message."""
    return page.locator(".row", has=page.locator(".text", has_text=text))


def check(page, where):
    """Nothing ran, nothing foreign is there, nothing is wider than the page."""
    found = page.evaluate("""() => ({
      pwned: window.pwned,
      foreign: [...document.querySelectorAll('script:not([src]), img, iframe, object, embed, video, audio, base, form[action], style')]
        .map((node) => node.outerHTML.slice(0, 200)),
      handlers: [...document.querySelectorAll('*')].filter((node) => [...node.attributes].some((one) => /^on/.test(one.name) || (one.name === 'style' && one.value)))
        .map((node) => node.outerHTML.slice(0, 200)).filter((html) => !/^<(textarea|div class="menu)/.test(html)),
      links: [...document.querySelectorAll('.row a, .result a, .head a, .console a')].map((node) => node.href),
      rels: [...document.querySelectorAll('.text a')].filter((node) => node.rel !== 'noopener noreferrer nofollow').length,
      wide: document.documentElement.scrollWidth - document.documentElement.clientWidth,
      wideList: [...document.querySelectorAll('.messages, .sidebar-scroll, .members')].map((node) => node.scrollWidth - node.clientWidth),
    })""")
    assert found["pwned"] is None, (where, found)
    assert not found["foreign"] and not found["handlers"] and not found["rels"], (where, found)
    assert all(re.match(r"(https?|ircs?):", link) for link in found["links"]), (where, found["links"])
    assert found["wide"] <= 0 and all(width <= 0 for width in found["wideList"]), (where, found)
