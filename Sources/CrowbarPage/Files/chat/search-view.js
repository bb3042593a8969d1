// Search with filters.

import { button, fill, h } from '../lib/h.js';
import { announce } from '../lib/announcer.js';
import { field } from '../lib/form.js';
import { fullText } from '../lib/time.js';
import { authorName, nameNode, visible } from './names.js';
import { pathOf } from '../data/api.js';
import { screen } from '../lib/screen.js';

export class SearchView {
  #app;
  #count = 0;

  constructor(app, parameters) {
    this.#app = app;
    const { model } = app;
    const channels = [...model.state.channels.values()].filter((channel) => channel.member);
    this.words = field('Search for', { type: 'search', maxlength: '256', value: parameters.get('q') ?? '' });
    this.channel = h('select', { class: 'input', id: 'search-channel' },
      h('option', { value: '' }, 'All channels'),
      channels.map((channel) => h('option', { value: channel.id, selected: channel.id === parameters.get('channel') }, visible(channel.name))));
    this.from = field('From', { value: parameters.get('from') ?? '', placeholder: 'Id of a user' });
    this.results = h('ol', { class: 'results' });
    // The announcer says it to screen readers.
    this.status = h('p', { class: 'muted' });
    this.more = button({ class: 'button', hidden: true, onclick: () => this.#find(this.next) }, 'More results');
    this.node = screen(app, 'Search', 'search',
      h('div', { class: 'page-scroll' },
        h('form', { class: 'search-form', role: 'search', onsubmit: (event) => {
          event.preventDefault();
          app.go(`#${pathOf('/search', {
            q: this.words.input.value || undefined, channel: this.channel.value || undefined, from: this.from.input.value || undefined,
          })}`);
        } },
        this.words.node, h('div', { class: 'field' }, h('label', { for: 'search-channel' }, 'In'), this.channel), this.from.node,
        h('button', { type: 'submit', class: 'button button-main' }, 'Search')),
        this.status, this.results, this.more));
  }

  start() {
    this.words.input.focus();
    if (this.words.input.value.trim()) this.#find();
  }

  stop() {}

  async #find(before) {
    const words = this.words.input.value.trim();
    this.status.textContent = 'Searching…';
    this.more.hidden = true;
    try {
      const { data } = await this.#app.api.get(pathOf('/views/search.json', {
        q: words, channel: this.channel.value || undefined, from: this.from.input.value.trim() || undefined, before,
      }));
      if (!before) this.#count = 0;
      this.#count += data.hits.length;
      if (before) this.results.append(...data.hits.map((hit) => this.#hit(hit)));
      else fill(this.results, data.hits.map((hit) => this.#hit(hit)));
      this.next = data.more;
      this.more.hidden = !data.more;
      this.status.textContent = this.#count ? `${this.#count}${data.more ? ' or more' : ''} ${this.#count === 1 ? 'message' : 'messages'}`
        : data.more ? 'Nothing found so far.' : `Nothing found for “${words}”.`;
      announce(this.status.textContent);
    } catch (error) {
      this.status.textContent = `The search failed: ${error.message}`;
    }
  }

  #hit(hit) {
    const { model } = this.#app;
    const channel = model.state.channels.get(hit.channelId);
    return h('li', { class: 'result' },
      h('a', { href: `#/c/${encodeURIComponent(hit.channelId)}/m/${encodeURIComponent(hit.eventId)}` },
        h('div', { class: 'result-head' },
          nameNode(hit.userId, authorName(model, hit)),
          h('span', { class: 'muted' }, ' in ', h('bdi', {}, visible(channel?.name ?? hit.channelId)), ' · ', fullText(hit.timestamp))),
        h('div', { class: 'text', dir: 'auto' }, hit.snippet.map(([text, isWord]) => (isWord ? h('mark', {}, visibleLines(text)) : visibleLines(text))))));
  }
}

const visibleLines = (text) => visible(text.replace(/[\n\r\t]+/g, ' '));
