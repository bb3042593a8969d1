// The last lines of a plugin's log, with a filter.

import { h, newId } from '../lib/h.js';
import { pathOf } from '../data/api.js';
import { Poll } from './poll.js';
import { timeText } from '../lib/time.js';
import { visible } from '../chat/names.js';

const kept = 500;
const levels = ['trace', 'debug', 'info', 'notice', 'warning', 'error', 'critical'];

export class LogTail {
  #lines = [];
  #isPaused = false;

  constructor(api, path) {
    const id = newId();
    this.level = h('select', { class: 'input', id, onchange: () => this.#show() },
      levels.slice(1, 6).map((level) => h('option', { value: level, selected: level === 'debug' }, level)));
    this.list = h('div', { class: 'log', tabindex: '0', role: 'region', 'aria-label': 'Log' });
    this.node = h('section', { class: 'console-part' }, h('h2', {}, 'Log'),
      h('div', { class: 'log-tools' }, h('label', { for: id }, 'From level'), this.level,
        h('label', { class: 'check' }, h('input', {
          type: 'checkbox', onchange: (event) => {
            this.#isPaused = event.target.checked;
            this.#show();
          },
        }), h('span', {}, 'Hold still'))), this.list);
    this.poll = new Poll(api, () => pathOf(`${path}/logs`, { lines: 200, after: this.#lines.at(-1)?.number }), (lines) => {
      this.#lines = [...this.#lines, ...lines].slice(-kept);
      if (lines.length) this.#show();
    }, () => {});
  }

  stop() { this.poll.stop(); }

  #show() {
    if (this.#isPaused) return;
    const from = levels.indexOf(this.level.value);
    const isAtEnd = this.list.scrollHeight - this.list.scrollTop - this.list.clientHeight < 20;
    this.list.replaceChildren(...this.#lines.filter((line) => levels.indexOf(line.level) >= from).map((line) => h('div', { class: 'log-line' },
      h('time', { class: 'muted' }, timeText(line.time)), h('span', { class: `level level-${line.level}` }, ` ${line.level} `), visible(line.text))));
    if (isAtEnd) this.list.scrollTop = this.list.scrollHeight;
  }
}
