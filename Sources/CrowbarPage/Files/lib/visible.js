// Texts of other people, where they are shown as one line.

/** A text in which control characters are visible and override no direction. */
export function visible(text) {
  return text.replace(/[\u0000-\u001F\u007F-\u009F\u202A-\u202E\u2066-\u2069]/g, (character) => {
    const code = character.codePointAt(0);
    if (code < 0x20) return String.fromCodePoint(0x2400 + code);
    if (code === 0x7F) return '\u2421';
    return '\uFFFD';
  });
}
