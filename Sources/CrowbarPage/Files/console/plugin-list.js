// All plugins, trouble first.

import { behind, count, healthNode, table, twin } from './parts.js';
import { fill, h, keyed } from '../lib/h.js';
import { notice } from '../chat/notice.js';
import { Poll, sameJson } from './poll.js';
import { visible } from '../chat/names.js';

const order = ['down', 'degraded', 'ok', 'off'];

export class PluginList {
  constructor(app, body) {
    this.body = body;
    this.table = table('Plugins and their queues, trouble first',
      ['Plugin', 'State', 'Health', 'Queues', 'Behind', 'Rate', 'In flight', 'Parked', 'Restarts', 'Dead letters']);
    this.poll = new Poll(app.api, '/api/admin/plugins', (plugins) => this.#show(plugins), (error) => {
      fill(body, error.code === 'forbidden'
        ? notice('Only admins see the console', 'Your account does not administer this server.')
        : notice('The console cannot be loaded', error.message));
    });
  }

  stop() { this.poll.stop(); }

  #show(plugins) {
    if (!plugins.length) {
      fill(this.body, notice('No plugins', 'Put a manifest NAME.toml into the plugins folder. The server reads it within a second.'));
      return;
    }
    if (!this.table.node.isConnected) fill(this.body, this.table.node, twin('plugins'));
    const sorted = [...plugins].sort((a, b) => order.indexOf(a.health) - order.indexOf(b.health) || a.name.localeCompare(b.name));
    keyed(this.table.rows, sorted, (plugin) => plugin.name, (plugin) => this.#row(plugin), sameJson);
  }

  #row(plugin) {
    const sum = (key) => plugin.queues.reduce((total, queue) => total + (queue[key] ?? 0), 0);
    const age = Math.max(0, ...plugin.queues.map((queue) => queue.lagSeconds ?? 0));
    return this.table.row([
      h('a', { href: `#/plugins/${encodeURIComponent(plugin.name)}` }, visible(plugin.name)), plugin.state, healthNode(plugin.health),
      count(plugin.queues.length), behind(sum('lag'), age), `${sum('ratePerSecond').toFixed(1)}/s`, count(sum('inFlight')), count(sum('parked')), count(plugin.restarts),
      count(plugin.deadLetters),
    ], 2, plugin.healthReason);
  }
}
