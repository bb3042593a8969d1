"""The figures of the web page in Chromium, each beside its limit. Runs in the environment of the page's tests, which has Playwright:

    .build/test-python/bin/python Benchmarks/page.py BINARIES FOLDER
"""
import contextlib
import http.server
import json
import pathlib
import statistics
import sys
import threading
import time
import urllib.request

import run as bench
from playwright.sync_api import sync_playwright

LOADS = 7
KEYS = 150
RATE, SECONDS = 50, 60
MESSAGES, FEW, TYPED_BEHIND = 100_000, 5_000, 10_000

# Notes when 50 rows are laid out.
FIRST = """new MutationObserver((_, observer) => {
  if (document.querySelectorAll('.row').length < 50) return;
  observer.disconnect();
  document.querySelector('.row').getBoundingClientRect();
  window.firstChannel = performance.now();
}).observe(document, { childList: true, subtree: true });"""
STATIC = """addEventListener('DOMContentLoaded', () => {
  document.querySelector('.row').getBoundingClientRect();
  window.firstChannel = performance.now();
});"""
TYPING = """() => {
  window.keys = [];
  let start;
  addEventListener('keydown', () => { start = performance.now(); }, true);
  addEventListener('input', () => {
    document.querySelector('.messages').getBoundingClientRect();
    window.keys.push(performance.now() - start);
  });
}"""
LOAD = """() => {
  window.tasks = [];
  window.frames = [];
  new PerformanceObserver((list) => window.tasks.push(...list.getEntries().map((one) => one.duration))).observe({ type: 'longtask' });
  let last = performance.now();
  const next = (now) => { window.frames.push(now - last); last = now; requestAnimationFrame(next); };
  requestAnimationFrame(next);
}"""
# Brings one page in at the top, and gives how far the anchor row moved meanwhile, in CSS pixels.
UP = """async () => {
  const list = document.querySelector('.messages');
  list.scrollTop = 300;
  const top = list.getBoundingClientRect().top;
  const anchor = [...list.querySelectorAll('.row')].find((node) => node.getBoundingClientRect().bottom > top);
  const before = anchor.getBoundingClientRect().top;
  const first = list.querySelector('.row').dataset.event;
  const end = performance.now() + 5000;
  while (list.querySelector('.row').dataset.event === first && performance.now() < end) {
    await new Promise((resolve) => requestAnimationFrame(resolve));
  }
  if (list.querySelector('.row').dataset.event === first) return null;
  return anchor.isConnected ? Math.abs(anchor.getBoundingClientRect().top - before) : 0;
}"""


def percentile(values, share):
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


class Pages:
    """A browser whose profiles are signed in."""

    def __init__(self, browser, server):
        self.browser, self.server = browser, server
        with urllib.request.urlopen(urllib.request.Request(
                f"{server.url}/api/me", headers={"Authorization": f"Bearer {server.token}"})) as answer:
            self.session = {**json.load(answer), "token": server.token, "kind": "token"}

    def open(self, script=""):
        context = self.browser.new_context(viewport={"width": 1200, "height": 760})
        context.add_init_script(f"localStorage.setItem('crowbar.session', {json.dumps(json.dumps(self.session))}); {script}")
        page = context.new_page()
        page.goto(f"{self.server.url}/#/c/general")
        return page

    def first(self):
        page = self.open(FIRST)
        page.wait_for_function("() => window.firstChannel")
        value = page.evaluate("() => window.firstChannel")
        page.context.close()
        return value

    def static(self, bytes):
        """A page of as many bytes with 50 rows, from another server."""
        rows = "".join(f"<div class=row>message {number} with a few words</div>" for number in range(50))
        body = f"<!doctype html><title>x</title><script>{STATIC}</script>{rows}<!--{'x' * bytes}-->".encode()

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(200)
                self.send_header("content-length", str(len(body)))
                self.send_header("content-type", "text/html")
                self.end_headers()
                with contextlib.suppress(OSError):
                    self.wfile.write(body)

            def log_message(self, *_):
                pass
        static = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=static.serve_forever, daemon=True).start()
        times = []
        for _ in range(LOADS):
            context = self.browser.new_context()
            page = context.new_page()
            page.goto(f"http://127.0.0.1:{static.server_port}/")
            times.append(page.evaluate("() => window.firstChannel"))
            context.close()
        static.shutdown()
        return statistics.median(times)


def heap(page):
    session = page.context.new_cdp_session(page)
    session.send("HeapProfiler.collectGarbage")
    return session.send("Runtime.getHeapUsage")["usedSize"] / 1e6


def scroll(page, messages, done=0):
    """Scrolls up until so many messages were loaded; the largest move of an anchor row."""
    moved = 0
    while done < messages:
        step = page.evaluate(UP)
        if step is None:
            break
        moved, done = max(moved, step), done + 100
    return moved, done


def main():
    server = bench.Server(pathlib.Path(sys.argv[1]), sys.argv[2])
    server.start()
    try:
        server.prepare()
        for start in range(0, MESSAGES, 5_000):
            server.post("\n".join(json.dumps({
                "type": "SEND_MESSAGE", "channelId": "general", "message": f"message {number} with a few words " + "more " * (number % 9)})
                for number in range(start, start + 5_000)), "application/x-ndjson")
        time.sleep(2)
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path="/usr/bin/chromium")
            measure(Pages(browser, server), server)
            browser.close()
    finally:
        server.stop()


def measure(pages, server):
    pages.first()
    bench.row("first channel, 50 rows, cold cache, median of 7", statistics.median(pages.first() for _ in range(LOADS)), "ms")
    bench.row("a static page of the same bytes (limit: 300 ms, or 3 times this)", pages.static(120 << 10), "ms")

    page = pages.open()
    page.locator(".row").first.wait_for()
    moved, done = scroll(page, FEW)
    small = heap(page)
    more, done = scroll(page, TYPED_BEHIND, done)
    page.evaluate(TYPING)
    page.locator("textarea").first.click()
    for number in range(KEYS):
        page.keyboard.press("abcdefg "[number % 8])
    bench.row("typing, 10,000 messages loaded, p95 (limit 8)", percentile(page.evaluate("() => window.keys"), 0.95), "ms")
    most, done = scroll(page, MESSAGES - 1_000, done)
    bench.row(f"heap after {done} messages, of that after 5,000 (limit 130)", 100 * heap(page) / small, "%")
    bench.row("largest move of an anchor row (limit 1)", max(moved, more, most), "px")
    page.context.close()

    page = pages.open()
    page.locator(".row").first.wait_for()
    page.evaluate(LOAD)
    end, number = time.monotonic() + SECONDS, 0
    begin = time.monotonic()
    while time.monotonic() < end:
        server.post(json.dumps({"type": "SEND_MESSAGE", "channelId": "general", "message": f"live {number}"}))
        number += 1
        time.sleep(max(0, begin + number / RATE - time.monotonic()))
    bench.row(f"{number / SECONDS:.0f} messages/s for {SECONDS} s: longest task (limit 100)", max([0, *page.evaluate("() => window.tasks")]), "ms")
    bench.row("interval of frames, p95 (limit 34)", percentile(page.evaluate("() => window.frames"), 0.95), "ms")


if __name__ == "__main__":
    main()
