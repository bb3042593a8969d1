"""Browsers and a server for the scenarios of one file, and the loop that runs them.

A script gets the path of the `crowbar` binary and a free port as its arguments, then, if wanted, the names of the scenarios
to run. CROWBAR_PAGE_FILES=Sources/CrowbarPage/Files serves the page's files from the tree, so that a change needs no build.
Screenshots go to the folder CROWBAR_SCREENSHOTS. CROWBAR_UPDATE_SNAPSHOTS=1 writes the accessibility trees anew.
"""

import contextlib
import faulthandler
import os
import pathlib
import re
import signal
import sys
import time
import traceback

from playwright.sync_api import expect, sync_playwright

from .checks import Checks
from .server import PATIENCE, ROOT, Server

TYPES = {"html": "text/html; charset=utf-8", "css": "text/css; charset=utf-8", "js": "text/javascript; charset=utf-8",
         "svg": "image/svg+xml"}
POLICY = ("default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
          "base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
# Seconds after which a script that still runs prints what it waits for.
HANGS_AFTER = float(os.environ.get("CROWBAR_HANGS_AFTER", "840"))
# Only what the browser says about requests can be allowed: never a script's error, never a violation of the policy.
NETWORK = re.compile(r"Failed to load resource|net::ERR_|blocked by CORS policy")
BROKEN = "ERR_CONNECTION_REFUSED|ERR_FAILED|ERR_INCOMPLETE_CHUNKED|ERR_EMPTY_RESPONSE|ERR_CONNECTION_RESET|ERR_ABORTED"

# What the page says to a screen reader: each text of a live region, when it changes.
HEARD = """
window.heard = [];
(() => {
  const live = '[role="status"], [role="alert"], [aria-live="polite"], [aria-live="assertive"]';
  const last = new WeakMap();
  const say = (region) => {
    const text = region.hidden || region.closest('[hidden]') ? '' : region.textContent;
    if (text === (last.get(region) ?? '')) return;
    last.set(region, text);
    if (text.trim()) window.heard.push(text.replace(/\\s+/g, ' ').trim());
  };
  new MutationObserver((records) => {
    const regions = new Set();
    for (const { type, target, addedNodes } of records) {
      const region = (target.nodeType === 1 ? target : target.parentElement)?.closest(live);
      if (region) regions.add(region);
      // A region that comes with its text is said only if it is an alert.
      for (const node of addedNodes) {
        if (node.nodeType !== 1) continue;
        for (const inner of [node, ...node.querySelectorAll(live)]) {
          if (inner.matches('[role="alert"]')) regions.add(inner);
          else if (inner.matches(live) && inner !== region) last.set(inner, inner.textContent);
        }
      }
    }
    regions.forEach(say);
  }).observe(document, { subtree: true, childList: true, characterData: true, attributes: true, attributeFilter: ['hidden'] });
})();
"""


class World(Checks):
    """A server and a browser. A script's error, a console error, or a violation of the content security policy fails the
    scenario."""

    def __init__(self, more="", name="page.example", files=None):
        # The test runner's children inherit a blocked SIGTERM.
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGTERM, signal.SIGINT])
        expect.set_options(timeout=PATIENCE * 1000)
        self.server = Server(sys.argv[1], more, files)
        self.name = name
        self.playwright = sync_playwright().start()
        self.browser = self.launch()
        self.contexts = []
        self.faults = []
        self.allowed = []
        self.pictures = pathlib.Path(os.environ.get("CROWBAR_SCREENSHOTS", ROOT / ".build/screenshots"))
        self.pictures.mkdir(parents=True, exist_ok=True)

    def launch(self):
        """Starts a browser."""
        return self.playwright.chromium.launch(
            executable_path="/usr/bin/chromium", args=[f"--host-resolver-rules=MAP {self.name} 127.0.0.1"])

    def allow(self, *patterns):
        """Allows, to the end of the scenario, that the browser reports requests that fail on purpose."""
        self.allowed += [re.compile(pattern) for pattern in patterns]

    def context(self, browser=None, **options):
        """A browser profile of its own."""
        context = (browser or self.browser).new_context(**{
            "viewport": {"width": 1200, "height": 760}, "locale": "en-GB", "timezone_id": "Europe/Berlin", **options})
        return self.prepare(context)

    def prepare(self, context):
        """Has a browser profile's complaints and announcements noted."""
        self.contexts.append(context)
        context.set_default_timeout(PATIENCE * 1000)
        context.add_init_script(
            "addEventListener('securitypolicyviolation', (event) => console.error('CSP', event.violatedDirective, "
            "event.blockedURI))")
        context.add_init_script(HEARD)
        if os.environ.get("CROWBAR_PAGE_FILES"):
            # By its address alone: Chromium does not take what a test answers under another name for this machine's.
            origin = re.escape(self.server.url)
            context.route(re.compile(rf"^{origin}/((\?.*)?$|p/[^/]+/|config\.json$)"), self.serve)
        context.on("page", self.watch)
        for page in context.pages:
            self.watch(page)
        return context

    def serve(self, route):
        """Answers a request for a file of the page from the tree."""
        path = re.sub(r"^https?://[^/]+/(p/[^/]+/)?", "", route.request.url).split("?")[0] or "index.html"
        if path == "config.json":
            route.fulfill(body='{"api":""}', content_type="application/json")
            return
        folder = pathlib.Path(os.environ["CROWBAR_PAGE_FILES"])
        text = (folder / path).read_text().replace("{{modules}}", "").replace("{{release}}", "dev")
        route.fulfill(body=text, content_type=TYPES[path.rsplit(".", 1)[1]],
                      headers={"Content-Security-Policy": POLICY})

    def watch(self, page):
        """Notes what the browser complains of."""
        page.on("pageerror", lambda error: self.faults.append(f"{page.url}: {error}"))

        def console(message):
            if message.type != "error":
                return
            where = message.location.get("url", "")
            is_network = NETWORK.search(message.text) and not re.match("CSP|Refused", message.text)
            if not (is_network and any(one.search(where) or one.search(message.text) for one in self.allowed)):
                self.faults.append(f"{page.url}: {message.text} ({where})")
        page.on("console", console)

    def open(self, path="", **options):
        """Opens the page in a profile of its own, signed out."""
        page = self.context(**options).new_page()
        page.goto(f"{self.server.url}/{path}")
        return page

    def sign_in(self, user, page=None, url=None, path="", **options):
        """Opens the page and signs in by a token."""
        page = page or self.context(**options).new_page()
        page.goto((url or f"{self.server.url}/") + "#/sign-in")
        details = page.locator("details", has_text="Sign in with a token")
        details.wait_for()
        if details.get_attribute("open") is None:
            details.locator("summary").click()
        form = page.locator("form", has=page.get_by_label("Token"))
        form.get_by_label("Token").fill(self.server.tokens[user])
        form.get_by_role("button", name="Sign in").click()
        page.locator(".shell").wait_for()
        # What is loaded behind the first screen is there: menus, keys, the message field.
        page.locator(".connection").wait_for(state="attached")
        if path:
            page.goto((url or f"{self.server.url}/") + path)
        return page

    def picture(self, page, name):
        page.screenshot(path=str(self.pictures / f"{name}.png"))

    def reset(self):
        """Ends a scenario: nothing of it reaches the next one."""
        for context in self.contexts:
            with contextlib.suppress(Exception):
                context.close()
        self.contexts, self.faults, self.allowed = [], [], []
        self.server.remove_plugins()
        if not self.server.is_running:
            self.server.start()

    def close(self):
        with contextlib.suppress(Exception):
            self.browser.close()
            self.playwright.stop()
        self.server.close()

    def report(self, name):
        """Writes what the pages show, for somebody who looks for the reason of a failure."""
        for number, context in enumerate(self.contexts):
            for page in context.pages:
                with contextlib.suppress(Exception):
                    self.picture(page, f"failed-{pathlib.Path(sys.argv[0]).stem}-{name}-{number}")
                    print(page.url, page.locator("body").aria_snapshot()[:4000], "heard:", page.evaluate("() => heard"))
        print("\n".join(self.faults))
        print(self.server.log())


SCENARIOS = []


def scenario(function):
    """Marks a function that gets the world and tests one thing. It needs nothing of another scenario: its users and
    channels are its own."""
    SCENARIOS.append(function)
    return function


def run(more="", **options):
    """Runs the scenarios of a file with one server and one browser; ends the process with 1 if one fails."""
    # Who waits for ever says where.
    faulthandler.dump_traceback_later(HANGS_AFTER)
    wanted = sys.argv[3:]
    failed = []
    here = World(more, **options)
    try:
        for one in SCENARIOS:
            if wanted and one.__name__ not in wanted:
                continue
            start = time.monotonic()
            try:
                one(here)
                assert not here.faults, "the browser complained:\n" + "\n".join(here.faults)
            except Exception as error:
                failed.append(one.__name__)
                # The reason in the first line: a log that is cut keeps it.
                reason = " ".join(f"{type(error).__name__}: {error}".split())
                print(f"FAILED {one.__name__}: {reason[:600]}\n{traceback.format_exc()}")
                here.report(one.__name__)
            here.reset()
            print(f"{one.__name__}: {time.monotonic() - start:.1f} s", flush=True)
    finally:
        here.close()
    if failed:
        sys.exit(f"failed: {', '.join(failed)}")
