// Finds who a message mentions, by the rules of Sources/CrowbarCore/Views/MentionFinder.swift.

import { segments } from '../lib/markdown.js';
import { isWord } from '../lib/urls.js';

const most = 50;
const mostMarks = 500;
const longestName = 256;

/** Makes names the same that people take for the same. */
export const folded = (text) => text.normalize('NFKC').toLowerCase();

const alphabetic = /[\p{Alphabetic}\p{Nd}]/u;
const ideographic = /[\p{Ideographic}\u0E00-\u0EFF\u1000-\u109F\u1780-\u17FF\u3040-\u30FF\u31F0-\u31FF]/u;
/** Whether a character is part of a word in a script that sets spaces between words. */
const joinsWords = (character) => alphabetic.test(character) && !ideographic.test(character);

/** The names and ids of a channel's members, for lookups. */
export class NameIndex {
  #users = new Map();
  #lengths = [];

  /** `members` are pairs of an id and a name. */
  constructor(members) {
    for (const [id, name] of members) {
      for (const text of new Set([folded(id), folded(name)])) {
        if (!text) continue;
        if (!this.#users.has(text)) this.#users.set(text, []);
        this.#users.get(text).push(id);
      }
    }
    for (const users of this.#users.values()) users.sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
    this.#lengths = [...new Set([...this.#users.keys()].map((name) => name.length))].sort((a, b) => b - a);
  }

  /** The members whose name is the longest that a text begins with, and ends there at the end of a word. */
  longest(tail) {
    for (const length of this.#lengths) {
      if (length > tail.length) continue;
      const users = this.#users.get(tail.slice(0, length));
      if (users && endsWord(tail, length)) return users;
    }
    return [];
  }
}

function endsWord(tail, end) {
  if (end >= tail.length) return true;
  const next = String.fromCodePoint(tail.codePointAt(end));
  const last = Array.from(tail.slice(Math.max(0, end - 4), end)).pop();
  return !(joinsWords(last) && joinsWords(next));
}

/** The ids of the users that a text mentions, each once, in order of mention. */
export function mentionsIn(text, names) {
  if (!text.includes('@')) return [];
  const found = [];
  let looked = 0;
  for (const stretch of stretches(text)) {
    let before = stretch.before;
    for (let index = 0; index < stretch.text.length; index += 1) {
      const character = stretch.text[index];
      if (character === '@' && before !== '@' && !isWord(before)) {
        looked += 1;
        if (looked > mostMarks) return found;
        const rest = stretch.text.slice(index + 1, index + 2 + longestName).join('');
        for (const user of names.longest(folded(rest))) {
          if (found.includes(user)) continue;
          found.push(user);
          if (found.length === most) return found;
        }
      }
      // A combining mark belongs to the character before it.
      if (!/^[\p{M}\u200D\uFE0F]/u.test(character)) before = character;
    }
  }
  return found;
}

/** The text outside code and URLs, with the character before each stretch. */
function stretches(text) {
  const found = [];
  let current = [];
  let before;
  const end = (last) => {
    if (current.length) found.push({ text: current, before });
    current = [];
    before = last;
  };
  for (const segment of segments(text)) {
    if (segment.type === 'text') current.push(...segment.text);
    else if (segment.type === 'url') end(Array.from(segment.text).pop());
    else end('`');
  }
  end();
  return found;
}
