// What the console's screens have in common: words, tables, actions with a second step, links that are shown once.

import { announce } from '../lib/announcer.js';
import { button, h, keyed } from '../lib/h.js';
import { confirmDialog, openDialog } from '../lib/dialog.js';
import { durationText, fullText } from '../lib/time.js';
import { form } from '../lib/form.js';
import { sameJson } from './poll.js';
import { visible } from '../chat/names.js';

const shapes = { ok: '●', degraded: '▲', down: '■', off: '○' };
const number = new Intl.NumberFormat();

/** How something is, as a word and a shape. */
export const healthNode = (health, word = health) => h('span', { class: `health health-${health in shapes ? health : 'off'}` },
  h('span', { 'aria-hidden': 'true' }, shapes[health] ?? '○'), ` ${word}`);

/** A number as it is read. */
export const count = (value) => (value === undefined || value === null ? '–' : number.format(value));

/** A number of things, in words. */
export const many = (value, one, more = `${one}s`) => `${count(value)} ${value === 1 ? one : more}`;

/** A command of the command line that does the same. */
export const twin = (...words) => h('code', { class: 'twin' }, `crowbar ${words.join(' ')}`);

/** The same for several commands, folded away. Each is an array of words. */
export const twins = (...commands) => h('details', { class: 'creation' }, h('summary', {}, 'On the command line'),
  h('ul', { class: 'twins' }, commands.map((words) => h('li', {}, twin(...words)))));

const twinLine = (words) => words && h('p', { class: 'reason' }, 'The same on the command line: ', twin(...words));

/** How far behind something is: events, and the age of the first of them. */
export const behind = (events, seconds) => (events > 0 && seconds > 0 ? `${count(events)}, ${durationText(seconds * 1000)}` : count(events));

/** How long ago a time in milliseconds was, with the time itself. */
export const ago = (time) => (time ? h('span', { title: fullText(time) }, `${durationText(Date.now() - time)} ago`) : '–');
export const agoText = (time) => (time ? `${durationText(Date.now() - time)} ago` : '–');
/** A time to come. */
export const until = (time) => (time ? h('span', { title: fullText(time) }, `in ${durationText(time - Date.now())}`) : 'never');

/** A part of a screen with a heading. */
export const part = (title, ...content) => h('section', { class: 'console-part' }, h('h2', {}, title), content);

/**
 * A table; on a narrow screen each row is a block, and each cell has its title beside it. Gives {node, rows, row}:
 * `row(cells, at, reason)` makes a row. Its first cell is its heading; texts are made visible; a reason stands below the cell `at`.
 */
export function table(label, titles) {
  const rows = h('tbody', { role: 'rowgroup' });
  const node = h('div', { class: 'table-frame', tabindex: '0', role: 'region', 'aria-label': label },
    h('table', { class: 'table', role: 'table' }, h('thead', { role: 'rowgroup' }, h('tr', { role: 'row' }, titles.map((title) => (
      h('th', { scope: 'col', role: 'columnheader' }, title))))), rows));
  const row = (cells, at, reason) => h('tr', { role: 'row' }, cells.map((cell, index) => h(index ? 'td' : 'th', {
    scope: index ? undefined : 'row', role: index ? 'cell' : 'rowheader', 'data-title': index ? titles[index] : undefined,
  }, h('div', {}, typeof cell === 'string' ? h('bdi', {}, visible(cell)) : cell, index === at && reason && h('div', { class: 'reason' }, visible(reason))))));
  return { node, rows, row };
}

/** Does something to the server, says so, and gives whether it was done. */
export async function attempt(app, call, done) {
  try {
    const answer = await call();
    announce(typeof done === 'function' ? done(answer?.data) : done);
    return true;
  } catch (error) {
    app.showError(error);
    return false;
  }
}

/**
 * A button that asks first: `title` is the question, `effect` says to how much it happens (a text, or a function that gives it when
 * it is asked), `words` are the command's.
 */
export function asking(app, { label, name = label, title, effect, words, call, then, done, isDanger, isLarge }) {
  return button({
    class: isLarge ? 'button' : 'button button-small', 'aria-label': name, onclick: async () => {
      const isSure = await confirmDialog(title, [h('p', {}, typeof effect === 'function' ? effect() : effect), twinLine(words)], label, { isDanger });
      if (isSure && await attempt(app, call, done ?? `${name}: done`)) then?.();
    },
  }, label);
}

/** Shows a secret that the server tells only once. */
export const showSecret = (title, text, secret) => openDialog(title, () => h('div', { class: 'stack' },
  h('p', {}, text), h('code', { class: 'twin secret', tabindex: '0' }, secret),
  navigator.clipboard && h('div', { class: 'buttons' }, button({
    class: 'button', onclick: () => navigator.clipboard.writeText(secret).then(() => announce('Copied')),
  }, 'Copy'))), { wide: true });

/** Opens a form in a dialog. `send()` does the work and may give what follows; `words` are the command's. */
export const formDialog = (title, { fields, action, send, text, words }) => openDialog(title, (close) => h('div', { class: 'stack' },
  text && h('p', {}, text), form({ fields, action, submit: async () => close(await send()) }), twinLine(words)));

/**
 * A list that is loaded once and after each change, page by page. `load(after)` gives {rows, next?}, `key` is the member that
 * tells rows apart, `row(one, reload)` gives the arguments of a table's `row`.
 */
export class Listing {
  #seen = 0;
  #rows = [];

  constructor(app, { label, titles, load, key, row, empty }) {
    Object.assign(this, { app, load, key, row, empty });
    this.table = table(label, titles);
    this.status = h('p', { class: 'muted', role: 'status' });
    this.more = button({ class: 'button', hidden: true, onclick: () => this.show(this.next) }, 'More');
    this.node = h('div', { class: 'console-part' }, this.status, this.table.node, this.more);
    this.table.node.hidden = true;
  }

  /** Loads the first page, or the one behind `after`. The focus stays in its row, or goes to what is around it if that is gone. */
  async show(after) {
    this.#seen += 1;
    const turn = this.#seen;
    try {
      const { rows, next } = await this.load(after);
      if (turn !== this.#seen) return;
      this.next = next;
      this.more.hidden = next === undefined;
      this.#rows = after === undefined ? rows : [...this.#rows, ...rows];
      this.table.node.hidden = !this.#rows.length;
      keyed(this.table.rows, this.#rows, (one) => one[this.key], (one) => this.table.row(...this.row(one, () => this.show())), sameJson);
      this.status.textContent = this.#rows.length ? '' : this.empty;
    } catch (error) {
      this.status.textContent = `The list cannot be loaded: ${error.message}`;
    }
  }
}
