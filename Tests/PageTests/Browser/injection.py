"""Hostile content everywhere that content is shown: nothing runs, nothing is loaded, nothing leaves its place."""

import re

from playwright.sync_api import expect
from world import check, row, world

ZALGO = "Z" + "\u0335\u0322\u0328\u0327\u0321\u031b\u0317\u0318" * 40 + "algo"
TEXTS = [
    "<script>window.pwned = 1</script>", "<img src=x onerror='window.pwned = 2'>", "<svg/onload=window.pwned=3>",
    "&lt;b&gt; &amp;amp; <b>bold</b>", "</div></body><h1>out</h1>", "<style>*{display:none}</style>",
    "<a href=\"javascript:window.pwned=4\">x</a>", "[x](javascript:window.pwned=5)", "javascript:window.pwned=6",
    "javascript://x.example/%0Awindow.pwned=7", "data:text/html,<script>window.pwned=8</script>",
    "data://text/html,<script>", "vbscript://x", "file:///etc/passwd", "https://аpple.example/", "https://xn--pple-43d.example/",
    "https://user:pass@evil.example/", "https://good.example@evil.example/", "http://[::1]/x", "www.example.org/<b>",
    "https://example.org/\"onclick=\"window.pwned=9", "```html\n<script>window.pwned=10</script>\n```", "`<img src=x>`",
    "**<i>**x**</i>**", "> <blockquote onclick=alert(1)>", "bell \u0007 escape \u001b[31m del \u007f c1 \u0090 end",
    "\u202egnp.exe \u2066isolate without end", "\u200f\u200fright to left \u05d0\u05d1", ZALGO, "w" * 10_000,
    "\u0645\u0631\u062d\u0628\u0627 * \u0628\u0643 *", "{{constructor.constructor('window.pwned=11')()}}", "${window.pwned=12}",
    "\u2028\u2029\u0085lines", "\ufeff\u200b\u200c", "`" * 3000, "*" * 3000, "@" * 3000, "[" * 3000,
]
NAMES = ["<img src=x onerror=window.pwned=20>", "\u202eevil", ZALGO[:100], "N" * 256, "\u0430nn", "\"><script>window.pwned=21</script>"]


with world() as here:
    server = here.server
    server.user("ann")
    server.user("bob")
    server.command("ann", "CREATE_CHANNEL", "general", channelName=NAMES[0], channelDescription=TEXTS[0])
    server.command("bob", "JOIN_CHANNEL", "general")
    for number, name in enumerate(NAMES):
        server.command("ann", "CREATE_CHANNEL", f"c{number}", channelName=name)
    # A person cannot choose such a name; a plugin can bring one.
    status, answer = server.call("bob", "/api/commands", {"type": "RENAME_USER", "name": NAMES[1]})
    assert status == 422 and answer["error"]["field"] == "name", answer
    ann = here.sign_in("ann")
    ann.get_by_role("link", name=re.compile("^<img")).first.click()
    for number, text in enumerate(TEXTS):
        server.command("bob", "SEND_MESSAGE", "general", message=text, eventId=f"t{number}")
    for name in NAMES:
        server.operate("RENAME_USER", userId="bob", name=name)
        server.command("bob", "SEND_MESSAGE", "general", message=f"I am @{name} <b>{name}</b>")
    for number, reaction in enumerate(["👍", "x" + "\u0335" * 9, ":" + "x" * 30 + ":"]):
        server.command("bob", "ADD_REACTION", "general", messageId="t0", reaction=reaction)
    for text in [TEXTS[1], "\u202e" + "T" * 4000]:
        server.command("ann", "SET_TOPIC", "general", topic=text)
    server.command("bob", "SEND_MESSAGE", "general", message="a reply", replyTo="t1", meta={"username": "<b>x</b>"})
    expect(row(ann, "a reply")).to_be_visible()
    check(ann, "live")
    here.picture(ann, "injection")
    # A tower of combining marks stays in its own row.
    box = ann.locator('[data-event="t28"] .row-body').bounding_box()
    assert box["height"] < 200, box
    # A link that could be taken for another says where it leads; one with a foreign scheme is no link.
    hints = ann.locator(".link-hint").all_inner_texts()
    assert any("xn--pple-43d.example" in hint for hint in hints) and any("evil.example" in hint for hint in hints), hints
    expect(ann.locator('[data-event="t8"] a, [data-event="t9"] a, [data-event="t13"] a')).to_have_count(0)
    # Control characters are shown, and do not act.
    expect(ann.locator('[data-event="t25"]')).to_contain_text("\u2407")
    expect(ann.locator('[data-event="t25"]')).to_contain_text("\u241b")
    expect(ann.locator('[data-event="t26"] .control').first).to_have_text("U+202E")

    # As loaded, found, listed, and on a narrow screen.
    ann.reload()
    expect(row(ann, "a reply")).to_be_visible()
    check(ann, "loaded")
    ann.get_by_role("link", name="Search").click()
    ann.get_by_label("Search for").fill("window")
    ann.get_by_role("button", name="Search", exact=True).click()
    ann.locator(".result").first.wait_for()
    check(ann, "search")
    ann.get_by_role("button", name="Join or create a channel").first.click()
    ann.get_by_role("dialog").wait_for()
    check(ann, "channels")
    ann.keyboard.press("Escape")
    ann.goto(f"{server.url}/#/c/general")
    row(ann, "a reply").wait_for()
    row(ann, "a reply").click(button="right", position={"x": 250, "y": 4})
    ann.get_by_role("menu").wait_for()
    check(ann, "menu")
    ann.keyboard.press("Escape")
    ann.set_viewport_size({"width": 360, "height": 640})
    check(ann, "narrow")
    here.picture(ann, "injection-narrow")
    # Addresses are content too; what they name is not there.
    here.expected += [re.compile("around=%00"), re.compile("/api/admin/plugins/")]
    for hash in ["#/c/%3Cscript%3E", "#/c/general/m/%00", "#/c/%", "#/search?q=%3Cb%3E", "#/plugins/%22%3E%3Cimg%3E", "#/nothing"]:
        ann.goto(f"{server.url}/{hash}")
        ann.wait_for_timeout(200)
        check(ann, hash)
