// The events that a plugin's queues gave up on: look at them, deliver them again, or drop them.

import { agoText, asking, count, many } from './parts.js';
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
    this.title = h('h2', { tabindex: '-1' }, 'Dead letters');
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
    const some = this.#chosen.size;
    const text = `${this.total}/${[...this.#chosen]}`;
    if (text === this.shownFor) return;
    this.shownFor = text;
    const what = many(some || this.total, 'dead letter');
    const had = [...this.buttons.children].indexOf(document.activeElement);
    fill(this.buttons, this.total > 0 && [
      this.#action('retry', `Redrive ${what}`, `${this.name} gets the events once more, outside their order. What fails again stays a dead letter.`),
      this.#action('drop', `Drop ${what}`, `They are never delivered to ${this.name} again. The events stay in the log.`),
    ]);
    if (had >= 0) (this.buttons.children[had] ?? this.title).focus();
  }

  #action(what, label, effect) {
    const ids = this.#letters.filter((letter) => this.#chosen.has(this.#keyOf(letter))).map((letter) => letter.eventId);
    let done = 0;
    return asking(this.#app, {
      label, title: `${label}?`, effect, isDanger: what === 'drop', isLarge: true,
      words: ['dead-letters', what, this.name, ...ids.length === 0 ? ['--all'] : ids.length > 3 ? ['EVENTID…'] : ids],
      call: async () => { done = await this.#do(what); }, done: () => `${what === 'drop' ? 'Dropped' : 'Redriven'}: ${done}`,
    });
  }

  #row(letter) {
    const key = this.#keyOf(letter);
    const text = letter.private ? 'Private: its content is shown on request only' : `${letter.type ?? ''} ${letter.text ?? ''}`;
    return h('li', { class: 'letter' },
      h('label', { class: 'check' }, h('input', {
        type: 'checkbox', checked: this.#chosen.has(key), onchange: (event) => {
          if (event.target.checked) this.#chosen.add(key);
          else this.#chosen.delete(key);
          this.#showButtons();
        },
      }), h('span', {}, h('bdi', {}, visible(text)),
        h('span', { class: 'muted' }, ` ${visible(letter.queue)} · ${many(letter.attempts, 'attempt')}, last ${agoText(letter.last)}`),
        h('span', { class: 'reason' }, visible([letter.code, letter.message].filter(Boolean).join(': '))))),
      button({
        class: 'button button-small', 'aria-label': `${letter.private ? 'Show content of' : 'Show'} event ${letter.eventId}`,
        onclick: () => this.#open(letter),
      }, letter.private ? 'Show content' : 'Show'));
  }

  async #open(letter) {
    const isPrivate = letter.private && 'true';
    if (isPrivate && !await confirmDialog('Show the content?', 'The event is in a private channel, or this plugin reads private channels. The audit log notes that '
      + 'you read it.', 'Show content')) return;
    try {
      const { data } = await this.#app.api.post(pathOf(`${this.path}/${encodeURIComponent(letter.queue)}`, { all: isPrivate }), {
        do: 'show', eventIds: [letter.eventId],
      });
      openDialog('Dead letter', () => h('pre', { class: 'json', tabindex: '0' }, visibleJson(data)), { wide: true });
    } catch (error) {
      this.#app.showError(error);
    }
  }

  /** Redrives or drops the letters that are chosen, or all. Gives how many. */
  async #do(what) {
    const { api } = this.#app;
    let done = 0;
    if (!this.#chosen.size) {
      done = (await api.post(this.path, { do: what, all: true })).data.count;
    } else {
      for (const [queue, eventIds] of this.#byQueue()) {
        done += (await api.post(`${this.path}/${encodeURIComponent(queue)}`, { do: what, eventIds })).data.count;
      }
    }
    this.#chosen.clear();
    this.before = [];
    this.#turn(undefined);
    return done;
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
