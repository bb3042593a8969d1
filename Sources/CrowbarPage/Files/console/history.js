// The last hour of a plugin: how far behind it was and how much it delivered, as a drawing and as a table.

import { count, table } from './parts.js';
import { durationText, timeText } from '../lib/time.js';
import { fill, h } from '../lib/h.js';
import { Poll } from './poll.js';
import { visible } from '../chat/names.js';

const width = 600;
const height = 90;

export class History {
  constructor(api, path) {
    this.body = h('div', { class: 'charts' });
    this.node = h('section', { class: 'console-part' }, h('h2', {}, 'The last hour'), this.body);
    this.poll = new Poll(api, `${path}/history`, (data) => this.#show(data), () => {}, 30000);
  }

  stop() { this.poll.stop(); }

  #show({ queues }) {
    const isOpen = this.body.querySelector('details')?.open;
    fill(this.body, queues.some((queue) => queue.samples.length) ? queues.map((queue) => this.#queue(queue, isOpen))
      : h('p', { class: 'muted' }, 'The first sample comes within a minute.'));
  }

  #queue({ name, samples }, open) {
    const { node, rows, row } = table(`The last hour of ${visible(name)}`, ['Time', 'Events behind', 'Oldest of them', 'Delivered', 'Given up']);
    fill(rows, samples.map((one) => row([
      timeText(one.at), count(one.lagEvents), durationText(one.lagSeconds * 1000), count(one.delivered), count(one.failed),
    ])));
    return h('figure', { class: 'chart-frame' }, h('figcaption', {}, h('bdi', {}, visible(name))),
      chart('Events behind', samples.map((one) => one.lagEvents), 'chart-lag'),
      chart('Delivered a minute', samples.map((one) => one.delivered), 'chart-rate'),
      h('details', { class: 'creation', open }, h('summary', {}, 'As a table'), node));
  }
}

/** A line over the samples, from zero to the highest. */
function chart(label, values, name) {
  const most = Math.max(1, ...values);
  const points = values.map((value, index) => [
    values.length > 1 ? (index * width) / (values.length - 1) : 0, height - 4 - (value / most) * (height - 8)]);
  const [x, y] = points[points.length - 1] ?? [0, height];
  return h('div', {}, h('div', { class: 'hint' }, `${label}: ${count(values.at(-1))} now, ${count(Math.max(...values))} at most`),
    h('svg', { viewBox: `0 0 ${width} ${height}`, class: `chart ${name}`, role: 'img', 'aria-label': `${label}, ${values.length} samples` },
      h('polyline', { points: points.map((point) => point.map((part) => part.toFixed(1)).join(',')).join(' '), fill: 'none', stroke: 'currentColor', 'stroke-width': '2' }),
      h('circle', { cx: x, cy: y, r: '4', fill: 'currentColor' })));
}
