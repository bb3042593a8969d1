// One plugin: how it is, what can be done, its queues, log, deliveries and dead letters.

import { button, fill, h, keyed } from '../lib/h.js';
import { ago, asking, attempt, behind, count, healthNode, many, table, twins } from './parts.js';
import { DeadLetters } from './dead-letters.js';
import { Deliveries } from './deliveries.js';
import { fullText, timeText } from '../lib/time.js';
import { History } from './history.js';
import { LogTail } from './log-tail.js';
import { notice } from '../chat/notice.js';
import { Poll, sameJson } from './poll.js';
import { Replays } from './replays.js';
import { visible } from '../chat/names.js';

/** What buttons do, and which of them ask first. */
const actions = {
  pause: { label: 'Pause', text: 'holds its deliveries back until it is resumed' },
  resume: { label: 'Resume', text: 'delivers again' },
  start: { label: 'Start', text: 'starts it, whatever kept it down' },
  restart: { label: 'Restart', text: 'stops its process and starts another', confirm: 'Its process ends and another one starts. Deliveries that are under way are made again.' },
  stop: { label: 'Stop', text: 'ends its process', confirm: 'Its process ends. Its events wait in the log until it is started again.' },
};

export class PluginView {
  #app;
  #parts = [];

  constructor(app, name, body) {
    this.#app = app;
    this.name = name;
    this.body = body;
    this.path = `/api/admin/plugins/${encodeURIComponent(name)}`;
  }

  start() {
    this.head = h('section', { class: 'plugin-head' });
    this.buttons = h('div', { class: 'buttons buttons-start' });
    this.twins = h('div', {});
    const queues = table('Queues', ['Queue', 'State', 'Health', 'Cursor', 'Behind', 'Rate', 'In flight', 'Parked', 'Next try', 'Dead letters', 'Actions']);
    this.queues = queues.rows;
    this.table = queues.node;
    this.row = queues.row;
    this.poll = new Poll(this.#app.api, this.path, (plugin) => this.#show(plugin), (error) => {
      if (!this.plugin) fill(this.body, notice(error.status === 404 ? 'There is no such plugin' : 'The plugin cannot be loaded', error.message));
    });
  }

  stop() {
    this.poll.stop();
    for (const part of this.#parts) part.stop();
  }

  #show(plugin) {
    const isFirst = !this.plugin;
    this.plugin = plugin;
    if (isFirst) {
      const { api } = this.#app;
      this.#parts = [new DeadLetters(this.#app, this.name), new Deliveries(this.#app, this.name, plugin), new History(api, this.path),
        new Replays(this.#app, undefined, this.name), new LogTail(api, this.path)];
      fill(this.body, this.head, this.buttons, this.twins,
        h('section', { class: 'console-part' }, h('h2', {}, 'Queues'), this.table),
        this.#parts.map((part) => part.node));
    }
    const lines = plugin.healthReasons ?? (plugin.healthReason ? [plugin.healthReason] : []);
    fill(this.head, h('p', { class: 'plugin-state' }, healthNode(plugin.health), h('span', {}, plugin.state),
      plugin.pid && h('span', { class: 'muted' }, `process ${plugin.pid}`),
      h('span', { class: 'muted' }, many(plugin.restarts, 'restart'))),
    lines.length > 0 && h('ul', { class: 'reasons' }, lines.map((line) => h('li', {}, visible(line)))),
    plugin.lastEnd && h('p', { class: 'muted' }, `Last ended ${fullText(plugin.lastEnd.at)}: ${visible(plugin.lastEnd.reason ?? '')}`));
    this.#showButtons(plugin.state);
    keyed(this.queues, plugin.queues, (queue) => queue.name, (queue) => this.#queue(queue), sameJson);
  }

  #showButtons(state) {
    if (state === this.shown) return;
    this.shown = state;
    const isDown = ['failed', 'stopped', 'off', 'disabled', 'diverged'].includes(state);
    const names = isDown ? ['start'] : [state === 'paused' ? 'resume' : 'pause', 'restart', 'stop'];
    const hadFocus = this.buttons.contains(document.activeElement);
    fill(this.buttons, names.map((name) => this.#button(name)));
    fill(this.twins, twins(...names.map((name) => ['plugins', name, this.name]), ['plugins', 'pause|resume', `${this.name}/QUEUE`],
      ['plugins', 'logs', this.name, '-f'], ['cursor', 'show', this.name], ['dead-letters', 'list', this.name]));
    if (hadFocus) this.buttons.querySelector('button').focus();
  }

  #button(name, queue) {
    const { label, text, confirm } = actions[name];
    const target = queue ? `${this.name}/${queue}` : this.name;
    if (confirm && !queue) {
      const flying = () => this.plugin.queues.reduce((sum, one) => sum + (one.inFlight ?? 0), 0);
      return asking(this.#app, {
        label, name: `${label} ${target}`, title: `${label} ${target}?`,
        effect: () => `${confirm} ${many(flying(), 'delivery is', 'deliveries are')} under way now.`,
        words: ['plugins', name, target], call: () => this.#app.api.post(`${this.path}/${name}`), then: () => this.poll.now(), isLarge: true,
      });
    }
    return button({
      class: queue ? 'button button-small' : 'button', title: `${label} ${target}: ${text} (crowbar plugins ${name} ${target})`,
      'aria-label': `${label} ${target}`, onclick: () => this.#do(name, queue),
    }, label);
  }

  async #do(name, queue) {
    const { label } = actions[name];
    const target = queue ? `${this.name}/${queue}` : this.name;
    const call = () => this.#app.api.post(`${this.path}/${name}`, queue ? { queue } : undefined);
    if (await attempt(this.#app, call, (data) => `${label} ${target}: ${data?.state ?? 'done'}`)) this.poll.now();
  }

  #queue(queue) {
    const cells = [
      queue.name, queue.state, healthNode(queue.health),
      queue.cursor ? h('div', {}, count(queue.cursor.position), queue.cursor.at && h('div', { class: 'muted' }, ago(queue.cursor.at))) : '–',
      behind(queue.lag, queue.lagSeconds), `${(queue.ratePerSecond ?? 0).toFixed(1)}/s`, count(queue.inFlight),
      count(queue.parked), queue.nextTryAt ? timeText(queue.nextTryAt) : '–', count(queue.deadLetters),
      h('div', { class: 'buttons buttons-start' }, this.#button('pause', queue.name), this.#button('resume', queue.name)),
    ];
    return this.row(cells, 2, queue.reason);
  }
}
