// The events that a plugin's queues gave up on: look at them, deliver them again, or drop them.

import { ago, count, twin } from './console-view.js';
import { announce } from '../lib/announcer.js';
import { button, fill, h, keyed } from '../lib/h.js';
import { confirmDialog, openDialog } from '../lib/dialog.js';
import { Poll } from './poll.js';
import { visible } from '../chat/names.js';

const shown = 100;

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
    this.node = h('section', { class: 'console-part' }, this.title, this.buttons, this.list);
    this.poll = new Poll(app.api, this.path, (letters) => this.#show(letters), () => {});
  }

  stop() { this.poll.stop(); }

  #keyOf(letter) { return `${letter.queue}/${letter.eventId}`; }

  #show(letters) {
    this.#letters = letters;
    const known = new Set(letters.map((letter) => this.#keyOf(letter)));
    for (const key of this.#chosen) if (!known.has(key)) this.#chosen.delete(key);
    this.title.textContent = letters.length ? `Dead letters · ${count(letters.length)}` : 'No dead letters';
    keyed(this.list, letters.slice(0, shown), (letter) => this.#keyOf(letter), (letter) => this.#row(letter),
      (a, b) => JSON.stringify(a) === JSON.stringify(b));
    if (letters.length > shown) this.list.append(h('li', { class: 'muted' }, `and ${count(letters.length - shown)} more`));
    this.#showButtons();
  }

  #showButtons() {
    const all = this.#letters.length;
    const some = this.#chosen.size;
    const text = `${all}/${some}`;
    if (text === this.shownFor) return;
    this.shownFor = text;
    const number = some || all;
    const what = number === 1 ? '1 dead letter' : `${count(number)} dead letters`;
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
        h('span', { class: 'muted' }, ` ${letter.queue} · ${letter.attempts} attempts, last ${ago(letter.last)}`),
        h('span', { class: 'reason' }, visible(`${letter.code}: ${letter.message ?? ''}`)))),
      !letter.private && button({ class: 'button button-small', 'aria-label': `Show event ${letter.eventId}`, onclick: () => this.#open(letter) }, 'Show'));
  }

  async #open(letter) {
    try {
      const { data } = await this.#app.api.post(`${this.path}/${encodeURIComponent(letter.queue)}`, { do: 'show', eventIds: [letter.eventId] });
      openDialog('Dead letter', () => h('pre', { class: 'json', tabindex: '0' }, visibleJson(data)), { wide: true });
    } catch (error) {
      this.#app.showError(error);
    }
  }

  async #do(what, text) {
    if (what === 'drop' && !await confirmDialog(`Drop ${text}?`, `They are never delivered to ${this.name} again. The events stay in the log.`, 'Drop')) return;
    try {
      let done = 0;
      if (!this.#chosen.size) {
        done = (await this.#app.api.post(this.path, { do: what, all: true })).data.count;
      } else {
        for (const [queue, eventIds] of this.#byQueue()) {
          done += (await this.#app.api.post(`${this.path}/${encodeURIComponent(queue)}`, { do: what, eventIds })).data.count;
        }
      }
      this.#chosen.clear();
      announce(`${what === 'drop' ? 'Dropped' : 'Redriven'}: ${done}`);
      this.poll.now();
    } catch (error) {
      this.#app.showError(error);
    }
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
