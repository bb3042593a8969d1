// The operator's console: the plugins, or one of them.

import { button, fill, h, icon, keyed } from '../lib/h.js';
import { durationText } from '../lib/time.js';
import { icons } from '../lib/icons.js';
import { notice } from '../chat/notice.js';
import { PluginView } from './plugin-view.js';
import { Poll } from './poll.js';
import { visible } from '../chat/names.js';

const link = document.createElement('link');
link.rel = 'stylesheet';
link.href = new URL('console.css', import.meta.url).href;
document.head.append(link);

const order = ['down', 'degraded', 'ok', 'off'];
const shapes = { ok: '●', degraded: '▲', down: '■', off: '○' };
const number = new Intl.NumberFormat();

/** How something is, as a word and a shape. */
export const healthNode = (health) => h('span', { class: `health health-${health in shapes ? health : 'off'}` },
  h('span', { 'aria-hidden': 'true' }, shapes[health] ?? '○'), ` ${health}`);

/** A number as it is read. */
export const count = (value) => (value === undefined || value === null ? '–' : number.format(value));

/** A command of the command line that does the same. */
export const twin = (...words) => h('code', { class: 'twin' }, `crowbar ${words.join(' ')}`);

export class ConsoleView {
  #app;
  #plugin;

  constructor(app, name) {
    this.#app = app;
    this.body = h('div', { class: 'page-scroll console' });
    this.node = h('main', { class: 'channel-main', id: 'main', tabindex: '-1' },
      h('header', { class: 'head' },
        button({ class: 'icon-button only-narrow', label: 'Channels', onclick: () => app.showSidebar() }, icon(icons.menu)),
        h('div', { class: 'head-title' }, h('h1', { class: 'head-name' },
          name ? [h('a', { href: '#/plugins' }, 'Plugins'), h('bdi', {}, ` / ${visible(name)}`)] : 'Plugins')),
        button({ class: 'icon-button', label: 'Close the console', onclick: () => app.go('#/') }, icon(icons.close))),
      this.body);
    if (name) this.#plugin = new PluginView(app, name, this.body);
  }

  start() {
    document.getElementById('main').focus();
    if (this.#plugin) {
      this.#plugin.start();
      return;
    }
    this.rows = h('tbody');
    this.table = h('table', { class: 'table' }, h('caption', { class: 'hidden' }, 'Plugins and their queues, trouble first'),
      h('thead', {}, h('tr', {}, ['Plugin', 'State', 'Health', 'Behind', 'Rate', 'In flight', 'Set aside', 'Restarts', 'Dead letters']
        .map((title) => h('th', { scope: 'col' }, title)))), this.rows);
    this.poll = new Poll(this.#app.api, '/api/admin/plugins', (plugins) => this.#show(plugins), (error) => this.#failed(error));
  }

  stop() {
    this.poll?.stop();
    this.#plugin?.stop();
  }

  #show(plugins) {
    if (!plugins.length) {
      fill(this.body, notice('No plugins', 'Put a manifest NAME.toml into the plugins folder. The server reads it within a second.'));
      return;
    }
    if (!this.table.isConnected) {
      fill(this.body, h('div', { class: 'table-frame', tabindex: '0', role: 'region', 'aria-label': 'Plugins' }, this.table), twin('plugins'));
    }
    const sorted = [...plugins].sort((a, b) => order.indexOf(a.health) - order.indexOf(b.health) || a.name.localeCompare(b.name));
    keyed(this.rows, sorted, (plugin) => plugin.name, (plugin) => this.#row(plugin), (a, b) => JSON.stringify(a) === JSON.stringify(b));
  }

  #row(plugin) {
    const sum = (key) => plugin.queues.reduce((total, queue) => total + (queue[key] ?? 0), 0);
    const cells = [
      h('a', { href: `#/plugins/${encodeURIComponent(plugin.name)}` }, visible(plugin.name)), plugin.state, healthNode(plugin.health),
      count(sum('lag')), `${sum('ratePerSecond').toFixed(1)}/s`, count(sum('inFlight')), count(sum('parked')), count(plugin.restarts),
      count(plugin.deadLetters),
    ];
    return h('tr', {}, cells.map((cell, index) => h(index ? 'td' : 'th', { scope: index ? undefined : 'row' }, cell,
      index === 2 && plugin.healthReason && h('div', { class: 'reason' }, visible(plugin.healthReason)))));
  }

  #failed(error) {
    fill(this.body, error.code === 'forbidden'
      ? notice('Only admins see the console', 'Your account does not administer this server.')
      : notice('The console cannot be loaded', error.message));
  }
}

/** How long ago a time in milliseconds was. */
export const ago = (time) => (time ? `${durationText(Date.now() - time)} ago` : '–');
