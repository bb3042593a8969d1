"""The figures of the web page in Chromium, each beside its bar. Runs in the environment of the page's tests, which has Playwright:

    .build/test-python/bin/python Benchmarks/page.py BINARIES FOLDER

CROWBAR_BENCH_PAGE='{"messages": 3000, "few": 1000, "typed": 2000, "seconds": 5}' makes a short run, which says nothing about the bars.
"""
import contextlib
import http.server
import json
import os
import pathlib
import statistics
import sys
import threading
import time
import urllib.error
import urllib.request

import run as bench
from playwright.sync_api import sync_playwright

SIZE = {"loads": 7, "keys": 150, "rate": 50, "seconds": 60, "messages": 100_000, "few": 5_000, "typed": 10_000, "down": 100,
        **json.loads(os.environ.get("CROWBAR_BENCH_PAGE", "{}"))}
PAGE = 100
# Seconds in which a new window of Chromium comes to rest.
QUIET = 3

# Marks when 50 rows are laid out.
FIRST = """new MutationObserver((_, observer) => {
  if (document.querySelectorAll('.row').length < 50) return;
  observer.disconnect();
  document.querySelector('.row').getBoundingClientRect();
  performance.mark('first-channel');
}).observe(document, { childList: true, subtree: true });"""
STATIC = """addEventListener('DOMContentLoaded', () => {
  document.querySelector('.row').getBoundingClientRect();
  performance.mark('first-channel');
});"""
MARK = "() => performance.getEntriesByName('first-channel')[0]?.startTime"
# What the page had loaded by then, in bytes.
LOADED = """() => {
  const end = performance.getEntriesByName('first-channel')[0].startTime;
  return [...performance.getEntriesByType('navigation'), ...performance.getEntriesByType('resource')]
    .filter((one) => one.responseEnd <= end).reduce((sum, one) => sum + one.encodedBodySize, 0);
}"""
LOAD = """() => {
  window.tasks = [];
  window.frames = [];
  new PerformanceObserver((list) => window.tasks.push(...list.getEntries().map((one) => one.duration))).observe({ type: 'longtask' });
  let last = performance.now();
  const next = (now) => { window.frames.push(now - last); last = now; requestAnimationFrame(next); };
  requestAnimationFrame(next);
}"""
# Brings one page in at an end, and gives how far the anchor row moved meanwhile, in CSS pixels; null if no page came.
TURN = """async (isUp) => {
  const list = document.querySelector('.messages');
  const edge = () => [...list.querySelectorAll('.row')].at(isUp ? 0 : -1).dataset.event;
  const first = edge();
  list.scrollTop = isUp ? 300 : list.scrollHeight - list.clientHeight - 300;
  const top = list.getBoundingClientRect().top;
  const { event } = [...list.querySelectorAll('.row')].find((node) => node.getBoundingClientRect().bottom > top).dataset;
  const place = () => list.querySelector(`[data-event="${CSS.escape(event)}"]`)?.getBoundingClientRect().top;
  const before = place();
  const end = performance.now() + 10000;
  while (edge() === first && performance.now() < end) await new Promise((resolve) => requestAnimationFrame(resolve));
  if (edge() === first) return null;
  const after = place();
  return after === undefined ? 1e6 : Math.abs(after - before);
}"""


def percentile(values, share):
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


class Pages:
    """A browser whose profiles are signed in."""

    def __init__(self, browser, server):
        self.browser, self.server = browser, server
        self.session = {**self.get("/api/me"), "token": server.token, "kind": "token"}

    def get(self, path):
        request = urllib.request.Request(self.server.url + path, headers={"Authorization": f"Bearer {self.server.token}"})
        with urllib.request.urlopen(request, timeout=120) as answer:
            return json.load(answer)

    def catch_up(self, event):
        """Waits until the views have an event."""
        for _ in range(60):
            with contextlib.suppress(urllib.error.HTTPError):
                return self.get(f"/views/messages/general.json?limit=1&wait=10s&min={event}")
            time.sleep(1)
        raise SystemExit("the views do not catch up")

    def open(self, script=""):
        context = self.browser.new_context(viewport={"width": 1200, "height": 760})
        context.set_default_timeout(120_000)
        context.add_init_script(f"localStorage.setItem('crowbar.session', {json.dumps(json.dumps(self.session))}); {script}")
        page = self.quiet(context)
        page.goto(f"{self.server.url}/#/c/general")
        return page

    @staticmethod
    def quiet(context):
        """An empty page. Chromium loads a new tab page of its own beside each one, which takes a second of a processor."""
        page = context.new_page()
        time.sleep(QUIET)
        return page

    def first(self):
        """Milliseconds until 50 rows are laid out in a new profile, and the bytes that this took."""
        page = self.open(FIRST)
        page.wait_for_function(MARK)
        found = page.evaluate(MARK), page.evaluate(LOADED)
        page.context.close()
        return found

    def static(self, size):
        """The same for a page of so many bytes with 50 rows, from a server that does nothing else."""
        rows = "".join(f"<div class=row>message {number} with a few words</div>" for number in range(50))
        body = f"<!doctype html><title>x</title><script>{STATIC}</script>{rows}<!--{'x' * size}-->".encode()

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
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        context = self.browser.new_context()
        page = self.quiet(context)
        page.goto(f"http://127.0.0.1:{server.server_port}/")
        value = page.evaluate(MARK)
        context.close()
        server.shutdown()
        return value


def heap(page):
    session = page.context.new_cdp_session(page)
    for _ in range(2):
        session.send("HeapProfiler.collectGarbage")
    return session.send("Runtime.getHeapUsage")["usedSize"] / 1e6


def scroll(page, messages, done=0, is_up=True):
    """Scrolls until so many messages were loaded; gives the largest move of an anchor row, and how many were loaded."""
    moved = 0
    while done < messages:
        step = page.evaluate(TURN, is_up)
        if step is None:
            raise SystemExit(f"no page came after {done} messages")
        moved, done = max(moved, step), done + PAGE
    return moved, done


def typing(browser, page):
    """Main-thread milliseconds from each keydown to the end of its layout, from a trace."""
    page.locator("textarea").first.click()
    browser.start_tracing(page=page, categories=["devtools.timeline", "disabled-by-default-devtools.timeline", "toplevel"])
    for number in range(SIZE["keys"]):
        page.keyboard.press("abcdefg "[number % 8])
    page.evaluate("() => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)))")
    events = json.loads(browser.stop_tracing())["traceEvents"]
    whole = [event for event in events if event.get("ph") == "X"]
    keys = [event for event in whole if event["name"] == "EventDispatch" and event["args"]["data"]["type"] == "keydown"]
    times = []
    for key in keys:
        def after(name, event=key):
            return sorted((one for one in whole if one["name"] == name and one["ts"] >= event["ts"]
                           and (one["pid"], one["tid"]) == (event["pid"], event["tid"])), key=lambda one: one["ts"])
        written = next(one for one in after("EventDispatch") if one["args"]["data"]["type"] == "input")
        # Of the layouts behind the handler the first: the one that the frame needs.
        layout = next((one for one in after("Layout") if one["ts"] >= written["ts"] + written["dur"]), None)
        if layout is None:
            continue
        end = layout["ts"] + layout["dur"]
        times.append(sum(min(end, one["ts"] + one["dur"]) - max(key["ts"], one["ts"]) for one in whole
                         if one["name"] == "RunTask" and (one["pid"], one["tid"]) == (key["pid"], key["tid"])
                         and one["ts"] < end and one["ts"] + one["dur"] > key["ts"]) / 1000)
    if len(times) < SIZE["keys"] // 2:
        raise SystemExit(f"the trace has {len(times)} of {SIZE['keys']} keys")
    return times


def main():
    server = bench.Server(pathlib.Path(sys.argv[1]), sys.argv[2])
    server.start()
    try:
        server.prepare()
        step = 5_000
        for start in range(0, SIZE["messages"], step):
            lines = server.post("\n".join(json.dumps({
                "type": "SEND_MESSAGE", "channelId": "general",
                "message": f"message {number} with a few words " + "more " * (number % 9)})
                for number in range(start, min(start + step, SIZE["messages"]))), "application/x-ndjson").splitlines()
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path="/usr/bin/chromium")
            pages = Pages(browser, server)
            pages.catch_up(json.loads(lines[-1])["eventId"])
            measure(browser, pages, server)
            browser.close()
    finally:
        server.stop()


def measure(browser, pages, server):
    _, size = pages.first()
    both = [(pages.first()[0], pages.static(size)) for _ in range(SIZE["loads"])]
    first, static = (statistics.median(values) for values in zip(*both))
    bench.row(f"first channel, cold cache, median of {SIZE['loads']}", first, "ms", max(300, 3 * static),
              f"the bar: 300 ms, or 3 x a static page of {size // 1024} KiB ({static:.0f} ms)")

    page = pages.open()
    page.locator(".row").first.wait_for()
    moved, done = scroll(page, SIZE["few"])
    small = heap(page)
    more, done = scroll(page, SIZE["typed"], done)
    times = typing(browser, page)
    bench.row(f"typing, {done:,} messages loaded, p95", 1000 * percentile(times, 0.95), "us", 8_000, "the bar: 8 ms")
    most, done = scroll(page, SIZE["messages"] - 1_000, done)
    bench.row(f"heap after {done:,} messages ÷ after {SIZE['few']:,}", 100 * heap(page) / small, "%", 130, "the bar: 1.3")
    down, _ = scroll(page, SIZE["down"] * PAGE, is_up=False)
    bench.row("anchor row, largest move over a page in or out", 1000 * max(moved, more, most, down), "px/1000", 1_000, "the bar: 1 CSS px")
    page.context.close()

    page = pages.open()
    page.locator(".row").first.wait_for()
    page.evaluate(LOAD)
    number, begin = 0, time.monotonic()
    while time.monotonic() < begin + SIZE["seconds"]:
        server.post(json.dumps({"type": "SEND_MESSAGE", "channelId": "general", "message": f"live {number}"}))
        number += 1
        time.sleep(max(0, begin + number / SIZE["rate"] - time.monotonic()))
    rate = number / (time.monotonic() - begin)
    shown = page.locator(".row", has_text=f"live {number - 1}")
    shown.wait_for()
    what = f"{rate:.0f} messages/s for {SIZE['seconds']} s"
    bench.row(f"{what}: longest task", max([0, *page.evaluate("() => window.tasks")]), "ms", 100, "the bar: 100 ms")
    bench.row(f"{what}: frames, p95", percentile(page.evaluate("() => window.frames"), 0.95), "ms", 34, "the bar: 34 ms")
    page.context.close()


if __name__ == "__main__":
    main()
