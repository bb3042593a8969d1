"""How the page looks to those who asked for something: less motion, a dark or a light theme, large targets; and colours that
can be read."""

from playwright.sync_api import expect

from support.acts import composer, row
from support.checks import TARGETS
from support.server import until
from support.world import run, scenario

# The animations that run, in milliseconds of one round, and how many rounds.
ANIMATIONS = """() => document.getAnimations().map((one) => {
  const { duration, iterations } = one.effect.getComputedTiming();
  return [one.animationName ?? one.transitionProperty, duration, String(iterations)];
})"""
# Every rule that could animate, with what it comes to.
MOTION = """() => {
  const slow = [];
  const probe = document.body.appendChild(document.createElement('div'));
  const walk = (rules) => {
    for (const rule of rules) {
      if (rule.cssRules) walk(rule.cssRules);
      const { animationName, transitionDuration, scrollBehavior } = rule.style ?? {};
      if (!rule.style || (!animationName && !transitionDuration && !scrollBehavior)) continue;
      for (const word of (rule.selectorText.match(/\\.[\\w-]+/g) ?? [])) probe.classList.add(word.slice(1));
      const found = getComputedStyle(probe);
      slow.push([rule.selectorText, parseFloat(found.animationDuration), found.animationIterationCount,
        parseFloat(found.transitionDuration), found.scrollBehavior]);
      probe.className = '';
    }
  };
  for (const sheet of document.styleSheets) walk(sheet.cssRules);
  probe.remove();
  return slow;
}"""
# The contrast of each of the twelve colours with each background that a name stands on.
CONTRAST = """() => {
  const canvas = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
  const light = (colour) => {
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
    const [r, g, b] = [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3).map((part) => part / 255)
      .map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const probe = document.body.appendChild(document.createElement('div'));
  const found = [];
  for (let number = 0; number < 12; number += 1) {
    for (const back of ['--bg', '--bg-side', '--bg-raised', '--bg-hover', '--accent-soft', '--warn-soft']) {
      probe.className = `name colour-${number}`;
      probe.style.backgroundColor = `var(${back})`;
      const { color, backgroundColor } = getComputedStyle(probe);
      const [a, b] = [light(color), light(backgroundColor)];
      found.push([number, back, color, (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05)]);
    }
  }
  probe.remove();
  return found;
}"""


def jump(page, server, channel, event):
    """Opens a message by its link: its row lights up."""
    composer(page).wait_for()
    page.goto(f"{server.url}/#/c/{channel}/m/{event}")
    expect(page.locator(f'[data-event="{event}"]')).to_be_focused()


@scenario
def less_motion(here):
    server = here.server
    server.user("ann")
    server.channel("ann", "general")
    server.command("ann", "SEND_MESSAGE", "general", message="look here", eventId="a1")
    still = here.sign_in("ann", reduced_motion="reduce")
    moving = here.sign_in("ann", reduced_motion="no-preference")
    # This one moves, so the check can fail.
    # Noted as it begins: on a busy machine it is over before the next look.
    moving.evaluate(f"""() => {{
      const read = {ANIMATIONS};
      window.seen = [];
      addEventListener('animationstart', () => window.seen.push(...read()));
    }}""")
    jump(moving, server, "general", "a1")
    until(lambda: any(duration > 500 for _, duration, _ in moving.evaluate("() => window.seen")), "the row lights up")
    assert any(duration > 0.5 for _, duration, *_ in moving.evaluate(MOTION)), moving.evaluate(MOTION)
    jump(still, server, "general", "a1")
    rules = still.evaluate(MOTION)
    assert len(rules) >= 2, rules
    for selector, duration, rounds, transition, scroll in rules:
        # A round of nearly no time that is repeated without end would flicker.
        assert duration <= 0.01 and transition <= 0.01 and rounds == "1" and scroll == "auto", \
            (selector, duration, rounds, transition, scroll)
    assert all(duration <= 10 and rounds == "1" for _, duration, rounds in still.evaluate(ANIMATIONS)), still.evaluate(ANIMATIONS)


@scenario
def themes(here):
    server = here.server
    server.user("bob")
    server.channel("bob", "lobby")
    back = "() => getComputedStyle(document.body).backgroundColor"
    dark = here.sign_in("bob", color_scheme="dark")
    light = here.sign_in("bob", color_scheme="light")
    night, day = dark.evaluate(back), light.evaluate(back)
    assert night != day, (night, day)
    # The switch is stronger than the system, and stays over a reload; the system's theme changes while the page is open.
    for page, choice, expected in ((dark, "Light", day), (light, "Dark", night)):
        page.goto(f"{server.url}/#/settings")
        page.get_by_label(choice, exact=True).check()
        assert page.evaluate(back) == expected, choice
        page.reload()
        expect(page.get_by_label(choice, exact=True)).to_be_checked()
        assert page.evaluate(back) == expected, f"{choice} after a reload"
        page.get_by_label("As the system").check()
    assert (dark.evaluate(back), light.evaluate(back)) == (night, day)
    light.emulate_media(color_scheme="dark")
    assert light.evaluate(back) == night


@scenario
def colours_of_names(here):
    page = here.open()
    page.get_by_role("heading", name="Sign in").wait_for()
    for theme in ("light", "dark"):
        page.evaluate("(theme) => { document.documentElement.dataset.theme = theme; }", theme)
        found = page.evaluate(CONTRAST)
        assert len({colour for _, _, colour, _ in found}) == 12, "the colours are not twelve"
        faint = [one for one in found if one[3] < 4.5]
        assert not faint, f"{theme}: {faint}"


@scenario
def targets_of_fingers(here):
    """At least 44 px where the pointer is a finger."""
    server = here.server
    server.admin("cat")
    server.user("dan")
    server.password("cat")
    server.channel("cat", "hall", "dan")
    server.command("dan", "SEND_MESSAGE", "hall", message="touch this", eventId="t1")
    server.command("dan", "ADD_REACTION", "hall", messageId="t1", reaction="👍")
    server.command("dan", "SEND_MESSAGE", "hall", message="a reply", replyTo="t1")
    here.allow("401", "/api/admin/plugins/nothing")
    page = here.open(has_touch=True, is_mobile=True, viewport={"width": 390, "height": 800})
    page.get_by_role("heading", name="Sign in").wait_for()
    assert page.evaluate("() => matchMedia('(pointer: coarse)').matches")

    small = []

    def large(where):
        small.extend(f"{where}: {one}" for one in page.evaluate(TARGETS, 44))

    large("the sign-in")
    here.sign_in("cat", page)
    row(page, "a reply").wait_for()
    large("the chat")
    page.get_by_role("button", name="Members").click()
    page.get_by_role("complementary").get_by_role("button", name="dan").wait_for()
    large("the members")
    page.get_by_role("button", name="Hide members").click()
    page.get_by_role("button", name="Channels").click()
    large("the channels")
    page.get_by_role("button", name="Join or create a channel").click()
    page.get_by_text("Create a channel", exact=True).click()
    large("the dialog of channels")
    page.get_by_role("button", name="Close").last.click()
    page.locator(".account-button").click()
    large("the account's menu")
    page.keyboard.press("Escape")
    for place in ("search?q=touch", "settings", "plugins", "console/users", "console/invites", "console/tokens",
                  "console/hooks", "console/views", "console/audit", "console/nodes", "console/replays", "plugins/nothing"):
        page.goto(f"{server.url}/#/{place}")
        page.get_by_role("heading", level=1).wait_for()
        page.locator(".results li, .settings section, .console td, .console .notice, .console p").locator("visible=true").first.wait_for()
        large(place)
    assert not small, "targets below 44 px:\n" + "\n".join(small)


if __name__ == "__main__":
    run()
