"""The checks themselves: each finds what it should. A check that finds nothing proves nothing."""

from playwright.sync_api import expect

from support.checks import LOST, TARGETS, fits, untouched
from support.keyboard import Keyboard
from support.world import run, scenario


def finds(check, *words):
    """A check fails, and says why."""
    try:
        check()
    except AssertionError as error:
        assert all(word in str(error) for word in words), f"{words} are not in: {error}"
        return
    raise AssertionError(f"nothing was found of {words}")


def signed_out(here):
    page = here.open()
    page.get_by_role("heading", name="Sign in").wait_for()
    return page


def add(page, html):
    """Puts elements into the page, as a fault of it would."""
    page.evaluate("""(html) => {
      const frame = document.createElement('div');
      frame.id = 'added';
      frame.innerHTML = html;
      document.querySelector('main').append(frame);
    }""", html)


@scenario
def complaints_of_the_browser(here):
    page = signed_out(here)
    page.evaluate("() => { const node = document.createElement('script'); node.textContent = 'window.pwned = 1'; document.body.append(node); }")
    page.evaluate("() => { document.querySelector('main').setAttribute('style', 'color: red'); }")
    page.evaluate("() => fetch('https://evil.example/').catch(() => {})")
    page.evaluate("() => { setTimeout(() => { throw new Error('thrown'); }); console.error('said'); }")
    here.allow("evil.example")
    page.evaluate("() => fetch('/api/nothing')")
    page.evaluate("() => 1")
    text = "\n".join(here.faults)
    for word in ("script-src", "style-src", "connect-src", "thrown", "said", "/api/nothing"):
        assert word in text, f"{word} is not in: {text}"
    here.faults.clear()
    # What is allowed is a request that fails, and nothing else.
    here.allow("/api/nothing")
    page.evaluate("() => fetch('/api/nothing')")
    page.evaluate("() => console.error('CSP script-src /api/nothing')")
    page.evaluate("() => 1")
    assert len(here.faults) == 1 and "CSP" in here.faults[0], here.faults
    here.faults.clear()


@scenario
def screens(here):
    page = signed_out(here)
    add(page, "<img src='data:,x'>")
    finds(lambda: here.axe(page, "check"), "image-alt")
    page.locator("#added").evaluate("(node) => node.remove()")
    # Light text on a light ground, in one theme only.
    # (Style sheets of scripts are not bound by the policy.)
    page.evaluate("""() => {
      const sheet = new CSSStyleSheet();
      sheet.replaceSync(':root[data-theme="dark"] h1 { color: #333; } .wide { width: 2000px; } .small { width: 10px; height: 10px; }'
        + '.out { position: absolute; left: -500px; } .still:focus { outline: none; box-shadow: none; }');
      document.adoptedStyleSheets = [sheet];
    }""")
    finds(lambda: here.axe(page, "check"), "color-contrast", "dark")
    add(page, "<p class='wide'>wide</p>")
    finds(lambda: fits(page, "here"), "too wide")
    assert any("too wide" in one for one in page.evaluate(LOST))
    page.locator("#added").evaluate("(node) => node.remove()")
    assert not page.evaluate(LOST) and not page.evaluate(TARGETS, 24)
    add(page, "<button class='small'>x</button><div><button class='out'>out</button></div>")
    assert len(page.evaluate(TARGETS, 24)) == 1, page.evaluate(TARGETS, 24)
    assert any("out of the window" in one for one in page.evaluate(LOST)), page.evaluate(LOST)
    here.is_updating, here.is_comparing = False, True
    finds(lambda: here.tree(page, "no-such-tree"), "does not exist")


@scenario
def hostile_content(here):
    for html, word in (
            ("<img src=x>", "<img"), ("<b onclick='x()'>b</b>", "onclick"), ("<a href='javascript:x'>x</a>", "javascript"),
            ("<p>\u202eevil</p>", "\\u202e"), ("<iframe></iframe>", "iframe"), ("<span class='text'><a href='https://a.example'>a</a></span>", "rels")):
        page = signed_out(here)
        untouched(page, "before")
        add(page, html)
        finds(lambda page=page: untouched(page, "here"), word)
        page.close()
    page = signed_out(here)
    page.evaluate("() => { window.pwned = 1; }")
    finds(lambda: untouched(page, "here"), "pwned")
    here.faults.clear()


@scenario
def keys_and_what_is_heard(here):
    page = signed_out(here)
    add(page, "<button class='still'>still</button><button><svg></svg></button><p id='live' role='status'></p>")
    page.evaluate("""() => {
      const sheet = new CSSStyleSheet();
      sheet.replaceSync('.still:focus { outline: none; box-shadow: none; }');
      document.adoptedStyleSheets = [sheet];
    }""")
    keys = Keyboard(page)
    finds(lambda: keys.to("button", "^nothing has this name$", waits=False), "nothing shows that the focus is on")
    page.locator(".still").evaluate("(node) => node.remove()")
    finds(lambda: keys.to("button", "^nothing has this name$", waits=False), "without a name")
    page.locator("#added button").evaluate("(node) => node.remove()")
    finds(lambda: keys.to("button", "^nothing has this name$", waits=False), "does not reach")
    page.evaluate("() => { document.getElementById('live').textContent = 'one'; }")
    keys.hears("^one$")
    # The same once more is heard once more only where the page says it again.
    page.evaluate("() => { document.getElementById('live').textContent = 'one'; }")
    page.evaluate("() => { document.getElementById('live').textContent = 'two'; }")
    expect(page.locator("#live")).to_have_text("two")
    assert keys.heard()[-2:] == ["one", "two"], keys.heard()


if __name__ == "__main__":
    run()
