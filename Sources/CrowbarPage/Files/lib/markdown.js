// The chat's Markdown (docs/domain.md, "Text of messages") in segments:
// {type: 'text' | 'url' | 'code' | 'block', text, language?, styles: ['bold', 'italic', 'underline', 'strike']}.
// The same rules as Sources/ChatMarkdown. Time is linear in the text.

import { urlEnd, isWord, mayContainUrl } from './urls.js';

const marks = new Set(['*', '_', '~', '`', '\\']);
const kinds = {
  '*1': ['italic'], '*2': ['bold'], '*3': ['bold', 'italic'],
  _1: ['barItalic'], _2: ['underline'], _3: ['underline', 'barItalic'], '~2': ['strike'],
};
const isSpace = (character) => /^\s/u.test(character);
const isNewline = (character) => /[\n\v\f\r\u0085\u2028\u2029]/.test(character);

class Parser {
  at = 0;
  tokens = [];
  literal = '';
  open = new Set();
  noMoreTicks = new Map();

  constructor(text) {
    this.text = Array.from(text);
    this.hasUrls = mayContainUrl(text);
  }

  segments() {
    while (this.at < this.text.length) this.step();
    this.flush();
    return this.paired();
  }

  step() {
    const character = this.text[this.at];
    if (character === '\\' && marks.has(this.text[this.at + 1])) {
      this.literal += this.text[this.at + 1];
      this.at += 2;
    } else if (character === '`') {
      this.code();
    } else if (character === '*' || character === '_' || character === '~') {
      this.mark(character);
    } else {
      const end = this.hasUrls ? urlEnd(this.text, this.at, (sign, count) => this.closes(sign, count)) : this.at;
      if (end > this.at) {
        this.flush();
        this.tokens.push({ type: 'url', text: this.text.slice(this.at, end).join('') });
        this.at = end;
      } else {
        this.literal += character;
        this.at += 1;
      }
    }
  }

  flush() {
    if (this.literal) this.tokens.push({ type: 'text', text: this.literal });
    this.literal = '';
  }

  runLength(start) {
    let end = start;
    while (this.text[end] === this.text[start] && end < this.text.length) end += 1;
    return end - start;
  }

  code() {
    const ticks = this.runLength(this.at);
    const start = this.at + ticks;
    const end = this.closingTicks(ticks, start);
    if (end === undefined || end <= start) {
      this.literal += '`'.repeat(ticks);
      this.at = start;
      return;
    }
    let inner = this.text.slice(start, end);
    const line = inner.findIndex(isNewline);
    this.flush();
    if (ticks > 2 && line >= 0) {
      const language = inner.slice(0, line).join('');
      inner = inner.slice(line + (inner[line] === '\r' && inner[line + 1] === '\n' ? 2 : 1));
      if (inner.length && isNewline(inner[inner.length - 1])) inner.pop();
      if (inner.length) this.tokens.push({ type: 'block', text: inner.join(''), language });
    } else {
      if (ticks > 1 && inner.length > 2 && inner[0] === ' ' && inner[inner.length - 1] === ' ') {
        inner = inner.slice(1, -1);
      }
      this.tokens.push({ type: 'code', text: inner.join('') });
    }
    this.at = end + ticks;
  }

  closingTicks(ticks, start) {
    if (this.noMoreTicks.has(ticks) && start >= this.noMoreTicks.get(ticks)) return undefined;
    let next = start;
    while (next < this.text.length) {
      if (this.text[next] !== '`') {
        next += 1;
        continue;
      }
      const length = this.runLength(next);
      if (length === ticks) return next;
      next += length;
    }
    this.noMoreTicks.set(ticks, start);
    return undefined;
  }

  mark(character) {
    const length = this.runLength(this.at);
    const before = this.text[this.at - 1];
    const after = this.text[this.at + length];
    this.at += length;
    const found = kinds[character + length];
    if (!found) {
      this.literal += character.repeat(length);
      return;
    }
    const canOpen = after !== undefined && !isSpace(after);
    const canClose = before !== undefined && !isSpace(before);
    this.flush();
    for (const kind of canClose && !canOpen ? [...found].reverse() : found) {
      const opens = canOpen && (kind !== 'barItalic' || !isWord(before));
      const closes = canClose && (kind !== 'barItalic' || !isWord(after));
      const size = kind === 'italic' || kind === 'barItalic' ? 1 : 2;
      this.tokens.push({ type: 'mark', kind, text: character.repeat(size), canOpen: opens, canClose: closes });
      if (closes && this.open.delete(kind)) continue;
      if (opens) this.open.add(kind);
    }
  }

  /** Whether so many of a sign close a style that is open. */
  closes(sign, count) {
    return (kinds[sign + count] ?? []).some((kind) => this.open.has(kind));
  }

  pairs() {
    const isPaired = new Array(this.tokens.length).fill(false);
    const open = new Map();
    this.tokens.forEach((token, index) => {
      if (token.type !== 'mark') return;
      const start = open.get(token.kind);
      if (start !== undefined && token.canClose && start + 1 < index) {
        isPaired[start] = true;
        isPaired[index] = true;
        open.delete(token.kind);
      } else if (token.canOpen) {
        open.set(token.kind, index);
      }
    });
    return isPaired;
  }

  paired() {
    const isPaired = this.pairs();
    const segments = [];
    const active = new Set();
    let isBehindUrl = false;
    this.tokens.forEach((token, index) => {
      const styles = [...new Set([...active].map((kind) => (kind === 'barItalic' ? 'italic' : kind)))];
      let isUrl = token.type === 'url';
      if (token.type !== 'mark') {
        segments.push({ ...token, styles });
      } else if (isPaired[index]) {
        if (!active.delete(token.kind)) active.add(token.kind);
      } else if (isBehindUrl) {
        // It closes nothing, so it is the URL's own.
        segments[segments.length - 1].text += token.text;
        isUrl = true;
      } else {
        segments.push({ type: 'text', text: token.text, styles });
      }
      isBehindUrl = isUrl;
    });
    return segments;
  }
}

/** The segments of a message. */
export function segments(text) {
  if (!/[*_~`\\]/.test(text) && !mayContainUrl(text)) return text ? [{ type: 'text', text, styles: [] }] : [];
  return new Parser(text).segments();
}

/** A message in one line without its marks. */
export const plainText = (text) => segments(text).map((segment) => segment.text).join('').replace(/\s+/g, ' ');
