"""What every screen must fulfil: axe in both themes, the accessibility tree, narrow and zoomed windows, targets; and that
hostile content stays text."""

import difflib
import os
import pathlib
import re

from axe_playwright_python.base import AXE_SCRIPT

from .server import until

SNAPSHOTS = pathlib.Path(__file__).resolve().parents[1] / "snapshots"

# What differs from run to run: the pattern, and what stands for it in the kept tree.
VARIABLE = [
    # What was announced last; announcer.py has the transcript.
    (r"(?m)^- status: .*$", "- status"),
    (r"http://127\.0\.0\.1:\d+", "SERVER"),
    (r"page\.example:\d+", "page.example:PORT"),
    (r"%3A\d{4,5}\b", "%3APORT"),
    (r"\bcb_[0-9a-f]{64}\b", "TOKEN"),
    (r"127\.0\.0\.1(:\d+)?", "ADDRESS"),
    (r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b", "ID"),
    (r"(/(hooks|invite|reset|setup)/)[\w-]+", r"\1TOKEN"),
    (r"\b[0-9a-f]{16}\b", "ID"),
    (r"\w+day,? \d+ \w+ \d{4} at \d\d:\d\d(:\d\d)?", "DATE"),
    (r"\b\d\d:\d\d(:\d\d)?\b", "TIME"),
    (r"\d+ (s|min|h|d) ago", "AGO"),
    (r"\bin \d+ (s|min|h|d)\b", "in DURATION"),
    (r"\b\d+ (s|min)\b", "DURATION"),
    (r"\bprocess \d+", "process PID"),
    (r"\d+\.\d/s", "RATE"),
    (r"\b\d+ events?\b", "COUNT events"),
    (r"\b\d+ ms\b", "DURATION"),
    (r"[\d,.]+ MB", "SIZE"),
    (r"Crowbar \d+\.\d+\.\d+\S*\.", "Crowbar VERSION."),
]

# Controls that cannot be hit: what is inline in a text is exempt, as in WCAG 2.5.8.
TARGETS = """(least) => {
  const root = document.querySelector('dialog[open]') ?? document;
  const controls = root.querySelectorAll('a[href], button, input, select, textarea, summary, [role="option"], [role="menuitem"]');
  const isInline = (node) => node.tagName === 'A' && getComputedStyle(node).display === 'inline';
  return [...controls].flatMap((node) => {
    if (!node.checkVisibility({ visibilityProperty: true }) || isInline(node)) return [];
    const box = (/^(checkbox|radio)$/.test(node.type) && node.closest('label') || node).getBoundingClientRect();
    const isHidden = box.width <= 1 || box.bottom <= 0 && node.classList.contains('skip');
    return isHidden || (box.width >= least - 0.5 && box.height >= least - 0.5) ? []
      : [`${Math.round(box.width)} × ${Math.round(box.height)} px: ${node.outerHTML.slice(0, 160)}`];
  });
}"""

# What no scrolling brings into the window: controls, and the page that is wider than its window.
LOST = """() => {
  const root = document.querySelector('dialog[open]') ?? document;
  const scrolled = [...document.querySelectorAll('*')].filter((node) => node.scrollTop || node.scrollLeft)
    .map((node) => [node, node.scrollTop, node.scrollLeft]);
  const wide = document.documentElement.scrollWidth - document.documentElement.clientWidth;
  const lost = wide > 0 ? [`the page is ${wide} px too wide`] : [];
  for (const node of root.querySelectorAll('a[href], button, input, select, textarea, summary')) {
    if (node.closest('.messages, .skip') || !node.checkVisibility({ visibilityProperty: true, opacityProperty: true })) continue;
    node.scrollIntoView({ block: 'nearest', inline: 'nearest', behavior: 'instant' });
    const box = node.getBoundingClientRect();
    const isIn = box.left >= -1 && Math.min(box.right, box.left + 40) <= innerWidth + 1
      && box.bottom > 0 && box.top < innerHeight;
    if (!isIn) lost.push(`out of the window: ${node.outerHTML.slice(0, 160)}`);
  }
  for (const [node, top, left] of scrolled) [node.scrollTop, node.scrollLeft] = [top, left];
  return lost;
}"""

# What hostile content must not have made, and how wide it made the page.
FOREIGN = """() => ({
  pwned: window.pwned,
  foreign: [...document.querySelectorAll(
    'script:not([src]), img, iframe, object, embed, video, audio, base, form[action], style, marquee, [srcdoc]')]
    .map((node) => node.outerHTML.slice(0, 200)),
  handlers: [...document.querySelectorAll('*')]
    .filter((node) => [...node.attributes].some((one) => /^on/.test(one.name) || (one.name === 'style' && one.value)))
    .map((node) => node.outerHTML.slice(0, 200)).filter((html) => !/^<(textarea|div class="menu)/.test(html)),
  links: [...document.querySelectorAll('#app a[href]')].map((node) => node.href),
  rels: [...document.querySelectorAll('.text a')].filter((node) => node.rel !== 'noopener noreferrer nofollow').length,
  wide: document.documentElement.scrollWidth - document.documentElement.clientWidth,
  wideList: [...document.querySelectorAll('.messages, .sidebar-scroll, .members, .dialog, .menu')]
    .map((node) => node.scrollWidth - node.clientWidth),
  overrides: [...document.querySelectorAll('#app *, dialog *')].flatMap((node) => [...node.childNodes])
    .filter((node) => node.nodeType === 3 && /[\\u202A-\\u202E]/.test(node.data)).map((node) => node.data.slice(0, 60)),
})"""


class Checks:
    """The checks of a screen. `World` has what they need."""

    is_updating = bool(os.environ.get("CROWBAR_UPDATE_SNAPSHOTS"))

    def axe(self, page, name):
        """axe-core finds nothing, in either theme; keeps a picture of each."""
        if not page.evaluate("() => 'axe' in window"):
            page.evaluate(AXE_SCRIPT)
        theme_before = page.evaluate("() => document.documentElement.dataset.theme")
        for theme in ("light", "dark"):
            page.evaluate("(theme) => { document.documentElement.dataset.theme = theme; }", theme)
            self.picture(page, f"{name}-{theme}")
            # The themes differ in colours alone.
            rules = {"resultTypes": ["violations"], **({"runOnly": ["color-contrast", "link-in-text-block"]} if theme == "dark" else {})}
            found = page.evaluate("(rules) => axe.run(rules)", rules)
            problems = [f"{one['id']}: {one['help']}: {[node['html'][:160] for node in one['nodes'][:3]]} "
                        f"{one['nodes'][0].get('failureSummary', '')}" for one in found["violations"]]
            assert not problems, f"axe on {name}, {theme}: " + "\n".join(problems)
        page.evaluate("""(theme) => {
          if (theme) document.documentElement.dataset.theme = theme;
          else delete document.documentElement.dataset.theme;
        }""", theme_before)

    def screen(self, page, name):
        """Everything that holds for each screen."""
        self.tree(page, name)
        self.axe(page, name)
        small = page.evaluate(TARGETS, 24)
        assert not small, f"{name} has targets below 24 px:\n" + "\n".join(small)
        before = page.viewport_size
        # 360 px, and a window of 1200 × 760 px at 200 %.
        for width, height in ((360, 640), (600, 380)):
            page.set_viewport_size({"width": width, "height": height})
            lost = page.evaluate(LOST)
            if lost or os.environ.get("CROWBAR_ALL_PICTURES"):
                self.picture(page, f"{name}-{width}")
            assert not lost, f"{name} at {width} × {height} px:\n" + "\n".join(lost)
        page.set_viewport_size(before)

    def tree(self, page, name):
        """The accessibility tree is, or soon becomes, the one that is kept in `snapshots`."""
        kept = SNAPSHOTS / f"{name}.yaml"
        if self.is_updating:
            kept.write_text(tree_of(page))
            return
        assert kept.exists(), f"{kept} does not exist; CROWBAR_UPDATE_SNAPSHOTS=1 writes it"
        expected = kept.read_text()
        until(lambda: tree_of(page) == expected, f"the tree of {name}", detail=lambda: "\n".join(difflib.unified_diff(
            expected.splitlines(), tree_of(page).splitlines(), "kept", "found", lineterm="")))


def tree_of(page):
    """The accessibility tree, without what differs from run to run. A screen reader gets nothing behind a modal dialog."""
    dialog = page.locator("dialog[open]")
    text = (dialog.last if dialog.count() else page.locator("body")).aria_snapshot()
    for pattern, word in VARIABLE:
        text = re.sub(pattern, word, text)
    return text + "\n"


def fits(page, where):
    """Nothing is wider than the window."""
    wide = page.evaluate("() => document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert wide <= 0, f"{where} is {wide} px too wide"


def untouched(page, where):
    """Nothing ran, nothing foreign is there, nothing is wider than the page, nothing overrides the direction."""
    found = page.evaluate(FOREIGN)
    assert found["pwned"] is None, (where, found)
    assert not found["foreign"] and not found["handlers"] and not found["rels"], (where, found)
    assert all(re.match(r"(https?|ircs?):", link) for link in found["links"]), (where, found["links"])
    assert found["wide"] <= 0 and all(width <= 0 for width in found["wideList"]), (where, found)
    assert not found["overrides"], (where, found["overrides"])
