// The last tries of a plugin that posts to endpoints, and a test event. Other plugins do not know these questions.

import { agoText, twins } from './parts.js';
import { button, fill, h } from '../lib/h.js';
import { Poll } from './poll.js';
import { visible } from '../chat/names.js';

export class Deliveries {
  #app;

  constructor(app, name, plugin) {
    this.#app = app;
    this.path = `/api/admin/plugins/${encodeURIComponent(name)}`;
    this.list = h('ul', { class: 'letters' });
    this.result = h('p', { role: 'status' });
    this.node = h('section', { class: 'console-part', hidden: true }, h('h2', {}, 'Last deliveries'),
      h('div', { class: 'buttons buttons-start' }, plugin.queues.map((queue) => button({
        class: 'button button-small', onclick: () => this.#test(queue.name),
      }, `Send a test event to ${visible(queue.name)}`))), twins(['plugins', 'deliveries', name], ['plugins', 'test-send', `${name}/QUEUE`]),
      this.result, this.list);
    // A plugin without endpoints or without a process refuses; so its view asks only while it can answer.
    const canAnswer = plugin.manifest?.command?.[0]?.match(/crowbar-(webhook|aws)$/) && plugin.state === 'live';
    if (canAnswer) this.poll = new Poll(app.api, `${this.path}/deliveries`, (tries) => this.#show(tries), () => {});
  }

  stop() { this.poll?.stop(); }

  #show(tries) {
    this.node.hidden = false;
    fill(this.list, tries.length ? tries.slice(0, 30).map((one) => this.#row(one)) : h('li', { class: 'muted' }, 'None yet.'));
  }

  #row(one) {
    return h('li', { class: 'letter' }, h('span', {},
      h('span', { class: one.delivered ? 'health health-ok' : 'health health-down' }, one.delivered ? '● delivered' : '■ failed'),
      ` ${visible(String(one.outcome))} · ${one.endpoint} · ${visible(one.url ?? '')} · ${one.ms} ms`,
      h('span', { class: 'muted' }, ` · attempt ${one.attempt}, ${agoText(one.at)}`),
      h('span', { class: 'reason' }, one.private ? 'Private: the answer is not shown here.' : visible(one.reason ?? one.answer ?? ''))));
  }

  async #test(endpoint) {
    this.result.textContent = 'Sending…';
    try {
      const { data } = await this.#app.api.post(`${this.path}/test-send`, { endpoint }, { timeout: 70000 });
      this.result.textContent = `${data.delivered ? 'Delivered' : 'Failed'}: ${visible(String(data.outcome))} ${visible(data.reason ?? data.answer ?? '')}`;
    } catch (error) {
      this.result.textContent = error.message;
    }
    this.poll?.now();
  }
}
