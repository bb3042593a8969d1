"""Somebody who uses the keyboard alone, and hears what a screen reader says."""

import re

from .server import until

# Whether somebody can see where the focus is: an outline or a shadow of the element, or of the frame of a text field.
IS_MARKED = """(node) => {
  const isMarked = (one) => {
    const { outlineStyle, outlineWidth, boxShadow } = getComputedStyle(one);
    return (outlineStyle !== 'none' && parseFloat(outlineWidth) > 0) || boxShadow !== 'none';
  };
  return node === document.body || node.id === 'main' || isMarked(node) || isMarked(node.parentElement);
}"""


# The roles that Chromium's tree and ARIA name alike.
ARIA = ("button", "link", "textbox", "checkbox", "combobox", "spinbutton", "menuitem", "option", "radio", "region")


class Keyboard:
    """Uses a page by keys only. What has the focus is read from Chromium's accessibility tree."""

    def __init__(self, page):
        self.page = page
        self.devtools = page.context.new_cdp_session(page)
        # How many texts were heard and asserted.
        self.at = 0

    def press(self, *keys):
        for key in keys:
            self.page.keyboard.press(key)

    def type(self, text):
        self.page.keyboard.type(text)

    def focus(self):
        """Role and name of what has the focus, as a screen reader gets them."""
        handle = self.devtools.send("Runtime.evaluate", {"expression": "document.activeElement"})["result"]
        nodes = self.devtools.send("Accessibility.getPartialAXTree", {
            "objectId": handle["objectId"], "fetchRelatives": False})["nodes"]
        node = nodes[0]
        return node.get("role", {}).get("value", ""), " ".join(node.get("name", {}).get("value", "").split())

    def is_on(self, role, name):
        found = self.focus()
        return found[0] == role and re.search(name, found[1]) is not None

    def to(self, role, name, key="Tab", most=80, waits=True):
        """Presses a key until the focus is on something. Each stop on the way has a name and can be seen.

        `waits`: whether it may not be there yet.
        """
        if waits and role in ARIA:
            # Somebody sees or hears that it is there before they look for it.
            self.page.get_by_role(role, name=re.compile(name.replace("/", r"\/"))).first.wait_for()
        passed = []
        for _ in range(most):
            if self.is_on(role, name):
                return
            self.press(key)
            passed.append(self.focus())
            marked = self.page.evaluate(f"({IS_MARKED})(document.activeElement)")
            assert marked, f"nothing shows that the focus is on {passed[-1]}"
            is_silent = passed[-1][0] in ("button", "link", "textbox", "checkbox", "combobox") and not passed[-1][1]
            assert not is_silent, f"{passed[-1][0]} without a name: {self.page.evaluate('() => document.activeElement.outerHTML')}"
        raise AssertionError(f"{key} does not reach {role} {name!r}; it passed {passed}")

    def is_at(self, role, name):
        """Waits until the focus is on something, without a key: the page has put it there."""
        until(lambda: self.is_on(role, name), f"the focus is on {role} {name!r}", detail=lambda: f"it is on {self.focus()}")

    def do(self, role, name, key="Tab"):
        """Goes to something and presses Enter."""
        self.to(role, name, key)
        self.press("Enter")

    def heard(self):
        return self.page.evaluate("() => heard")

    def hears(self, *patterns):
        """Waits until texts were said, in this order, after those before. Others may be said between them."""
        for pattern in patterns:
            def found(pattern=pattern):
                for index, text in enumerate(self.heard()[self.at:]):
                    if re.search(pattern, text):
                        self.at += index + 1
                        return True
                return False
            until(found, f"somebody hears {pattern!r}", detail=lambda: f"heard: {self.heard()[self.at:]} after {self.heard()[:self.at]}")
