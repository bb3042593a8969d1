"""The page's fold and its Markdown, held to the vectors that the server's tests are held to."""

import json

from support.server import ROOT
from support.world import run, scenario

FOLD = """async ({events, reader, channels}) => {
  const base = document.querySelector('script[type=module]').src.replace(/app\\.js$/, '');
  const { fold } = await import(base + 'data/fold.js');
  const { emptyState } = await import(base + 'data/state.js');
  const state = emptyState(reader);
  // Each entry twice: what was applied is skipped.
  for (const entry of events) { fold(state, entry); fold(state, entry); }
  const plain = ({ creator, ...channel }) => channel;
  const result = { allchannels: [...state.channels.values()].map(plain), messages: {}, members: {} };
  for (const id of channels) {
    result.messages[id] = state.messages.get(id).list;
    result.members[id] = [...state.members.get(id)].sort().map((user) => ({ id: user, name: state.users.get(user).name }));
  }
  return JSON.stringify(result);
}"""

SEGMENTS = """async (texts) => {
  const base = document.querySelector('script[type=module]').src.replace(/app\\.js$/, '');
  const { segments } = await import(base + 'lib/markdown.js');
  const order = ['bold', 'italic', 'underline', 'strike'];
  return JSON.stringify(texts.map((text) => segments(text).map((one) => (
    { ...one, styles: order.filter((style) => one.styles.includes(style)) }))));
}"""


@scenario
def the_fold(here):
    page = here.open()
    page.get_by_role("heading", name="Sign in").wait_for()
    vectors = ROOT / "Tests/PageTests/Vectors"
    cases = json.loads((vectors / "fold.json").read_text())
    assert len(cases) > 5
    for case in cases:
        views = case["views"]
        found = json.loads(page.evaluate(FOLD, {
            "events": case["events"], "reader": case["reader"], "channels": [one["id"] for one in views["allchannels"]]}))
        for part in ("allchannels", "messages", "members"):
            assert found[part] == views[part], f"{case['name']}: {part}\nfound    {found[part]}\nexpected {views[part]}"


@scenario
def the_markdown(here):
    page = here.open()
    page.get_by_role("heading", name="Sign in").wait_for()
    vectors = ROOT / "Tests/PageTests/Vectors"
    markdown = json.loads((vectors / "markdown.json").read_text())
    results = json.loads(page.evaluate(SEGMENTS, [one["text"] for one in markdown]))
    assert len(results) == len(markdown) >= 40
    for one, found in zip(markdown, results):
        expected = one["segments"]
        assert found == expected, f"{one['text'][:80]!r}\nfound    {found}\nexpected {expected}"


if __name__ == "__main__":
    run()
