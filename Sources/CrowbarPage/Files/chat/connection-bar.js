// Says how the connection is: connecting, offline since when and until the next try, back with how many messages.

import { announce } from '../lib/announcer.js';
import { button, fill, h } from '../lib/h.js';
import { durationText, timeText } from '../lib/time.js';

const quietFor = 1000;
const resumedFor = 5000;

export class ConnectionBar {
  #model;
  #timer;
  #said = 'live';
  #end;

  constructor(model) {
    this.#model = model;
    this.node = h('div', { class: 'connection', role: 'region', 'aria-label': 'Connection', hidden: true });
    this.#end = model.on('connection', () => this.render());
    this.startedAt = Date.now();
    this.render();
  }

  stop() {
    this.#end();
    clearTimeout(this.#timer);
  }

  render() {
    clearTimeout(this.#timer);
    const { connection, resumed } = this.#model;
    const now = Date.now();
    this.node.dataset.state = connection.state;
    if (connection.state === 'offline') {
      const wait = (connection.retryAt ?? now) - now;
      fill(this.node, h('span', {}, `Offline since ${timeText(connection.since)}. `,
        wait > 0 ? `Trying again in ${durationText(wait)}.` : 'Trying again…'),
      button({ class: 'link-button', title: connection.reason, onclick: () => this.#model.retry() }, 'Now'));
      this.node.hidden = false;
      this.#say('Offline. Messages that you write are sent later.');
      this.#timer = setTimeout(() => this.render(), 1000);
    } else if (connection.state === 'connecting') {
      fill(this.node, h('span', {}, 'Connecting…'));
      // A connection that takes a moment is nothing to mention.
      this.node.hidden = now - this.startedAt < quietFor;
      this.#timer = setTimeout(() => this.render(), quietFor);
    } else if (resumed && now - resumed.at < resumedFor) {
      fill(this.node, h('span', {}, resumed.count
        ? `Connected again. ${resumed.count} ${resumed.count === 1 ? 'message' : 'messages'} came meanwhile.` : 'Connected again.'));
      this.node.hidden = false;
      this.#say('Connected again');
      this.#timer = setTimeout(() => this.render(), resumed.at + resumedFor - now);
    } else {
      this.node.hidden = true;
      this.#said = 'live';
    }
  }

  #say(text) {
    if (text !== this.#said) announce(text);
    this.#said = text;
  }
}
