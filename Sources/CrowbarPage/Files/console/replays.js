// Replays: part of the log delivered again to a plugin, beside the live one.

import { agoText, asking, count, healthNode, many, table, twin } from './parts.js';
import { announce } from '../lib/announcer.js';
import { check, field, form, require } from '../lib/form.js';
import { fill, h, keyed } from '../lib/h.js';
import { Poll, sameJson } from './poll.js';

const path = '/api/admin/replays';
const levels = { running: 'ok', done: 'ok', cancelled: 'off', failed: 'down' };

/** The replays of all plugins, or with a form those of one. */
export class Replays {
  constructor(app, body, plugin) {
    this.app = app;
    this.table = table('Replays', ['Plugin', 'State', 'Progress', 'From', 'Started', 'Dead letters', 'Actions']);
    this.empty = h('p', { class: 'muted' }, plugin ? 'No replays yet.' : 'No replays yet. Open a plugin to start one.');
    this.node = h('section', { class: 'console-part' }, h('h2', {}, 'Replays'),
      plugin && [h('details', { class: 'creation' }, h('summary', {}, 'Deliver part of the log again'), this.#form(plugin))],
      this.empty, this.table.node);
    if (body) fill(body, this.node);
    this.poll = new Poll(app.api, path, (replays) => {
      const shown = replays.filter((one) => !plugin || one.plugin === plugin);
      this.empty.hidden = shown.length > 0;
      this.table.node.hidden = !shown.length;
      keyed(this.table.rows, shown, (one) => one.id, (one) => this.#row(one), sameJson);
    }, (error) => { this.empty.textContent = error.message; });
  }

  stop() { this.poll.stop(); }

  #row(one) {
    const percent = Math.floor(one.progress * 100);
    const matched = `${one.isCounted ? '' : 'at least '}${count(one.matched)}`;
    return this.table.row([
      one.queue ? `${one.plugin}/${one.queue}` : one.plugin, healthNode(levels[one.state], one.state),
      h('div', {}, h('progress', { value: percent, max: '100', 'aria-label': `Replay of ${one.plugin}` }),
        h('div', { class: 'muted' }, `${percent} %, ${count(one.done)} of ${matched} events`)),
      one.from + (one.until ? ` to ${one.until}` : ''), agoText(one.started), count(one.deadLetters),
      one.state === 'running' ? asking(this.app, {
        label: 'Stop', name: `Stop the replay of ${one.plugin}`, title: `Stop the replay of ${one.plugin}?`,
        effect: `${many(one.done, 'event')} of ${matched} ${one.done === 1 ? 'is' : 'are'} delivered. It can be resumed on the command line.`,
        words: ['replay', one.plugin, '--resume'], call: () => this.app.api.call('DELETE', `${path}/${one.id}`), then: () => this.poll.now(),
      }) : '',
    ], 1, one.reason);
  }

  #form(plugin) {
    const from = field('From', { value: 'beginning', spellcheck: 'false' }, 'beginning, id:EVENTID (after it) or @2026-11-01T00:00:00Z');
    const until = field('Until', { spellcheck: 'false' }, 'Empty: up to now. Else id:EVENTID (with it) or @TIME (before it).');
    const rate = field('Events a second', { type: 'number', min: '0.001', max: '1000000', step: 'any' }, 'Empty: as fast as the plugin takes them.');
    const queue = field('Queue', { spellcheck: 'false' }, 'Empty: all queues of the plugin.');
    const channels = field('Channels', { spellcheck: 'false' }, 'Ids with blanks between them; a pattern ends in *. Empty: all.');
    const restart = check('Drop a replay of this plugin that was interrupted');
    const sure = check(`I know that ${plugin} gets these events a second time`);
    return h('div', { class: 'section' }, form({
      fields: [from, until, rate, queue, channels, restart, sure], action: 'Start the replay', submit: async () => {
        require(sure.input.checked ? undefined : 'Confirm that the events are delivered a second time.', sure);
        const words = channels.input.value.split(/\s+/).filter(Boolean);
        await this.app.api.post(path, {
          plugin, from: from.input.value.trim(), ...(until.input.value.trim() ? { until: until.input.value.trim() } : {}),
          ...(queue.input.value.trim() ? { queue: queue.input.value.trim() } : {}),
          ...(rate.input.value ? { rate: Number(rate.input.value) } : {}), ...(words.length ? { channels: words } : {}),
          ...(restart.input.checked ? { restart: true } : {}),
        });
        sure.input.checked = false;
        announce('Replay started');
        this.poll.now();
      },
    }), twin('replay', plugin, '--from', 'PLACE'));
  }
}
