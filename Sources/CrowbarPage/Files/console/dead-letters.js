// The events that a plugin's queues gave up on: look at them, deliver them again, or drop them.

import { agoText, attempt, count, many, twin } from './parts.js';
import { button, fill, h, keyed } from '../lib/h.js';
import { confirmDialog, openDialog } from '../lib/dialog.js';
import { pathOf } from '../data/api.js';
import { Poll, sameJson } from './poll.js';
import { visible } from '../chat/names.js';

const page = 100;

export class DeadLetters {
  #app;
  #letters = [];
  #chosen = new Set();

  constructor(app, name) {
    this.#app = app;
    this.name = name;
    this.path = `/api/admin/dead-letters/${encodeURIComponent(name)}`;
    this.title = h('h2', {}, 'Dead letters');
    this.list = h('ul', { class: 'letters' });
    this.buttons = h('div', { class: 'buttons buttons-start' });
    // Behind the first page: the `after` of each page before, to go back.
    this.before = [];
    this.back = button({ class: 'button button-small', onclick: () => this.#turn(this.before.pop()) }, 'Earlier ones');
    this.more = button({ class: 'button button-small', onclick: () => {
      this.before.push(this.after);
      this.#turn(this.next);
    } }, 'Later ones');
    this.node = h('section', { class: 'console-part' }, this.title, this.buttons, this.list,
      h('div', { class: 'buttons buttons-start' }, this.back, this.more));
    this.poll = new Poll(app.api, () => pathOf(this.path, { after: this.after, limit: page }), (data) => this.#show(data), () => {});
  }

  stop() { this.poll.stop(); }

  #turn(after) {
    this.after = after;
    this.poll.now();
  }

  #keyOf(letter) { return `${letter.queue}/${letter.eventId}`; }

  #show({ total, letters, next }) {
    this.#letters = letters;
    this.total = total;
    this.next = next;
    this.back.hidden = !this.before.length;
    this.more.hidden = next === undefined;
    const known = new Set(letters.map((letter) => this.#keyOf(letter)));
    for (const key of this.#chosen) if (!known.has(key)) this.#chosen.delete(key);
    this.title.textContent = total ? `Dead letters · ${count(total)}` : 'No dead letters';
    keyed(this.list, letters, (letter) => this.#keyOf(letter), (letter) => this.#row(letter), sameJson);
    this.#showButtons();
  }

  #showButtons() {
    const all = this.total;
    const some = this.#chosen.size;
    const text = `${all}/${some}`;
    if (text === this.shownFor) return;
    this.shownFor = text;
    const what = many(some || all, 'dead letter');
    fill(this.buttons, all > 0 && [
      button({ class: 'button button-main', onclick: () => this.#do('retry', what) }, `Redrive ${what}`),
      button({ class: 'button', onclick: () => this.#do('drop', what) }, `Drop ${what}`),
      twin('dead-letters', 'retry', this.name, some ? 'EVENTID…' : '--all'),
    ]);
  }

  #row(letter) {
    const key = this.#keyOf(letter);
    const text = letter.private ? 'in a private channel' : `${letter.type ?? ''} ${letter.text ?? ''}`;
    return h('li', { class: 'letter' },
      h('label', { class: 'check' }, h('input', {
        type: 'checkbox', checked: this.#chosen.has(key), onchange: (event) => {
          if (event.target.checked) this.#chosen.add(key);
          else this.#chosen.delete(key);
          this.#showButtons();
        },
      }), h('span', {}, h('bdi', {}, visible(text)),
        h('span', { class: 'muted' }, ` ${letter.queue} · ${letter.attempts} attempts, last ${agoText(letter.last)}`),
        h('span', { class: 'reason' }, visible(`${letter.code}: ${letter.message ?? ''}`)))),
      button({
        class: 'button button-small', 'aria-label': `${letter.private ? 'Show content of' : 'Show'} event ${letter.eventId}`,
        onclick: () => this.#open(letter),
      }, letter.private ? 'Show content' : 'Show'));
  }

  async #open(letter) {
    const isPrivate = letter.private && 'true';
    if (isPrivate && !await confirmDialog('Show the content?', 'You are not a member of its channel. The server notes that you read it.', 'Show content')) return;
    try {
      const { data } = await this.#app.api.post(pathOf(`${this.path}/${encodeURIComponent(letter.queue)}`, { all: isPrivate }), {
        do: 'show', eventIds: [letter.eventId],
      });
      openDialog('Dead letter', () => h('pre', { class: 'json', tabindex: '0' }, visibleJson(data)), { wide: true });
    } catch (error) {
      this.#app.showError(error);
    }
  }

  async #do(what, text) {
    if (what === 'drop' && !await confirmDialog(`Drop ${text}?`, [`They are never delivered to ${this.name} again. The events stay in the log. `,
      twin('dead-letters', 'drop', this.name, this.#chosen.size ? 'EVENTID…' : '--all')], 'Drop')) return;
    let done = 0;
    await attempt(this.#app, async () => {
      if (!this.#chosen.size) {
        done = (await this.#app.api.post(this.path, { do: what, all: true })).data.count;
      } else {
        for (const [queue, eventIds] of this.#byQueue()) {
          done += (await this.#app.api.post(`${this.path}/${encodeURIComponent(queue)}`, { do: what, eventIds })).data.count;
        }
      }
      this.#chosen.clear();
      this.before = [];
      this.#turn(undefined);
    }, () => `${what === 'drop' ? 'Dropped' : 'Redriven'}: ${done}`);
  }

  #byQueue() {
    const queues = new Map();
    for (const letter of this.#letters) {
      if (this.#chosen.has(this.#keyOf(letter))) queues.set(letter.queue, [...queues.get(letter.queue) ?? [], letter.eventId]);
    }
    return queues;
  }
}

const visibleJson = (data) => JSON.stringify(data, null, 2).replace(/[\u007F-\u009F\u202A-\u202E\u2066-\u2069]/g, '\uFFFD');
