// What the console's screens have in common: words, tables, actions with a second step, links that are shown once.

import { announce } from '../lib/announcer.js';
import { button, fill, h } from '../lib/h.js';
import { confirmDialog, openDialog } from '../lib/dialog.js';
import { durationText, fullText } from '../lib/time.js';
import { form } from '../lib/form.js';
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

/** How long ago a time in milliseconds was, with the time itself. */
export const ago = (time) => (time ? h('span', { title: fullText(time) }, `${durationText(Date.now() - time)} ago`) : '–');
export const agoText = (time) => (time ? `${durationText(Date.now() - time)} ago` : '–');
/** A time to come. */
export const until = (time) => (time ? h('span', { title: fullText(time) }, `in ${durationText(time - Date.now())}`) : 'never');

/** A part of a screen with a heading. */
export const part = (title, ...content) => h('section', { class: 'console-part' }, h('h2', {}, title), content);

/** A table that scrolls sideways in its own frame. Gives {node, rows}. */
export function table(label, titles) {
  const rows = h('tbody');
  const node = h('div', { class: 'table-frame', tabindex: '0', role: 'region', 'aria-label': label },
    h('table', { class: 'table' }, h('thead', {}, h('tr', {}, titles.map((title) => h('th', { scope: 'col' }, title)))), rows));
  return { node, rows };
}

/** A row of a table. Its first cell is its heading; texts are made visible; a reason stands below the cell `at`. */
export const rowOf = (cells, at, reason) => h('tr', {}, cells.map((cell, index) => h(index ? 'td' : 'th', { scope: index ? undefined : 'row' },
  typeof cell === 'string' ? h('bdi', {}, visible(cell)) : cell,
  index === at && reason && h('div', { class: 'reason' }, visible(reason)))));

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

/** A button that asks first: `title` is the question, `effect` says to how much it happens, `words` are the command's. */
export function asking(app, { label, name = label, title, effect, words, call, then }) {
  return button({
    class: 'button button-small', 'aria-label': name, onclick: async () => {
      const text = [effect, words && h('span', { class: 'reason' }, 'The same on the command line: ', twin(...words))];
      if (await confirmDialog(title, text, label) && await attempt(app, call, `${name}: done`)) then?.();
    },
  }, label);
}

/** Shows a secret that the server tells only once. */
export const showSecret = (title, text, secret) => openDialog(title, () => h('div', { class: 'stack' },
  h('p', {}, text), h('code', { class: 'twin secret', tabindex: '0' }, secret),
  navigator.clipboard && h('div', { class: 'buttons' }, button({
    class: 'button', onclick: () => navigator.clipboard.writeText(secret).then(() => announce('Copied')),
  }, 'Copy'))), { wide: true });

/** Opens a form in a dialog. `send()` does the work and may give what follows. */
export const formDialog = (title, { fields, action, send, text }) => openDialog(title, (close) => h('div', { class: 'stack' },
  text && h('p', {}, text), form({ fields, action, submit: async () => close(await send()) })));

/** A list that is loaded once and after each change, page by page. `load(after)` gives {rows, next?}. */
export class Listing {
  #seen = 0;

  constructor(app, { label, titles, load, row, empty }) {
    Object.assign(this, { app, load, row, empty });
    this.table = table(label, titles);
    this.status = h('p', { class: 'muted', role: 'status' });
    this.more = button({ class: 'button', hidden: true, onclick: () => this.show(this.next) }, 'More');
    this.node = h('div', { class: 'console-part' }, this.status, this.table.node, this.more);
    this.table.node.hidden = true;
  }

  /** Loads the first page, or the one behind `after`. */
  async show(after) {
    this.#seen += 1;
    const turn = this.#seen;
    try {
      const { rows, next } = await this.load(after);
      if (turn !== this.#seen) return;
      this.next = next;
      this.more.hidden = next === undefined;
      const nodes = rows.map((one) => this.row(one, () => this.show()));
      if (after === undefined) fill(this.table.rows, nodes);
      else this.table.rows.append(...nodes);
      this.table.node.hidden = !this.table.rows.children.length;
      this.status.textContent = this.table.node.hidden ? this.empty : '';
    } catch (error) {
      this.status.textContent = `The list cannot be loaded: ${error.message}`;
    }
  }
}
