// A message's text as nodes. Only nodes are built; no text is ever parsed as HTML.

import { h } from '../lib/h.js';
import { segments } from '../lib/markdown.js';
import { linkOf } from '../lib/urls.js';

const tags = { bold: 'strong', italic: 'em', underline: 'u', strike: 's' };
/** Control characters, and those that override the direction of the text around them. Line breaks and tabs stay. */
const controls = /[\u0000-\u0008\u000B\u000C\u000E-\u001F\u007F-\u009F\u202A-\u202E]/;

/** The nodes of a message. `mentions`: folded names that are highlighted behind an `@`, the reader's own first. */
export function textNodes(text, options = {}) {
  const out = new Lines(options);
  for (const segment of segments(text)) {
    if (segment.type === 'text') out.text(segment.text, segment.styles);
    else if (segment.type === 'url') out.inline(link(segment.text), segment.styles);
    else if (segment.type === 'code') out.inline(h('code', {}, marked(segment.text)), segment.styles);
    else out.block(segment);
  }
  return out.nodes;
}

/** Puts segments into lines, and lines that begin with `> ` into quotations. */
class Lines {
  nodes = [];
  #quote;
  #isLineStart = true;

  constructor(options) { this.options = options; }

  text(text, styles) {
    text.split(/\r\n|[\n\r\u0085\u2028\u2029]/).forEach((line, index) => {
      if (index > 0) this.#endLine();
      if (!line) return;
      let rest = line;
      if (this.#isLineStart) rest = this.#startLine(line);
      if (rest) this.inline(h('span', {}, mentioned(rest, this.options)), styles);
    });
  }

  inline(node, styles) {
    if (this.#isLineStart) this.#startLine('');
    this.#target.push(styles.reduce((inner, style) => h(tags[style], {}, inner), node));
    this.#show();
  }

  block({ text, language }) {
    this.#quote = undefined;
    this.nodes.push(h('pre', { 'data-language': language || undefined, tabindex: '0' }, h('code', {}, marked(text))));
    this.#isLineStart = true;
    this.afterBlock = true;
  }

  get #target() { return this.#quote?.parts ?? this.nodes; }

  #show() {
    if (this.#quote) this.#quote.node.replaceChildren(...this.#quote.parts);
  }

  #startLine(line) {
    this.#isLineStart = false;
    const isQuoted = /^> /.test(line);
    if (isQuoted && !this.#quote) {
      // The line break before a quotation is the quotation's own.
      if (this.nodes.at(-1)?.tagName === 'BR') this.nodes.pop();
      this.#quote = { node: h('blockquote'), parts: [] };
      this.nodes.push(this.#quote.node);
    } else if (!isQuoted && this.#quote) {
      if (this.#quote.parts.at(-1)?.tagName === 'BR') this.#quote.parts.pop();
      this.#show();
      this.#quote = undefined;
    }
    return isQuoted ? line.slice(2) : line;
  }

  #endLine() {
    if (!(this.afterBlock && this.#isLineStart)) this.#target.push(h('br'));
    this.afterBlock = false;
    this.#isLineStart = true;
  }
}

function link(text) {
  const target = linkOf(text);
  if (!target) return h('span', {}, marked(text));
  return h('span', {},
    h('a', { href: target.href, target: '_blank', rel: 'noopener noreferrer nofollow' }, h('bdi', {}, marked(text))),
    target.hint && h('span', { class: 'link-hint', title: 'where this link leads' }, ` (${target.hint})`));
}

/** A text with its mentions of the reader and of others marked. */
function mentioned(text, { mentions = [] }) {
  if (!mentions.length || !text.includes('@')) return marked(text);
  const nodes = [];
  let rest = text;
  for (let at = rest.indexOf('@'); at >= 0; at = rest.indexOf('@', at + 1)) {
    const tail = rest.slice(at + 1);
    const found = mentions.find(({ name }) => tail.slice(0, name.length).normalize('NFKC').toLowerCase()
      === name.normalize('NFKC').toLowerCase());
    if (!found) continue;
    nodes.push(marked(rest.slice(0, at)),
      h('span', { class: found.isMe ? 'mention mention-me' : 'mention' }, `@${tail.slice(0, found.name.length)}`));
    rest = tail.slice(found.name.length);
    at = -1;
  }
  return [...nodes, marked(rest)];
}

/** A text with marks in place of control characters. */
function marked(text) {
  if (!controls.test(text)) return text;
  return Array.from(text, (character) => (controls.test(character) ? mark(character) : character));
}

function mark(character) {
  const code = character.codePointAt(0);
  const name = `U+${code.toString(16).toUpperCase().padStart(4, '0')}`;
  const shown = code < 0x20 ? String.fromCodePoint(0x2400 + code) : code === 0x7F ? '\u2421' : name;
  return h('span', { class: 'control', title: name }, shown);
}
