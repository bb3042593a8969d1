// The head of a channel: its name, its topic, and buttons.

import { button, fill, h, icon } from '../lib/h.js';
import { icons } from '../lib/icons.js';
import { visible } from './names.js';

export class Header {
  #app;
  #id;
  #end;

  constructor(app, id, toggleMembers) {
    this.#app = app;
    this.#id = id;
    this.title = h('div', { class: 'head-title' });
    this.node = h('header', { class: 'head' },
      button({ class: 'icon-button only-narrow', label: 'Channels', onclick: () => app.showSidebar() }, icon(icons.menu)),
      this.title,
      !app.model.isAnonymous && h('a', {
        class: 'icon-button', href: `#/search?channel=${encodeURIComponent(id)}`, 'aria-label': 'Search', title: 'Search',
      }, icon(icons.search)),
      button({ class: 'icon-button', label: 'Members', onclick: toggleMembers }, icon(icons.members)),
      !app.model.isAnonymous && button({
        class: 'icon-button', label: 'More about this channel', 'aria-haspopup': 'menu',
        onclick: async ({ currentTarget }) => (await app.later()).headerMenu(app, id, currentTarget),
      }, icon(icons.more)));
    this.#end = app.model.on(`channel:${id}`, () => this.render());
    this.render();
  }

  stop() { this.#end(); }

  render() {
    const channel = this.#app.model.state.channels.get(this.#id) ?? { id: this.#id, name: this.#id };
    fill(this.title,
      h('h1', { class: 'head-name' }, channel.private ? icon(icons.lock) : h('span', { class: 'hash', 'aria-hidden': 'true' }, '#'),
        h('bdi', {}, visible(channel.name)), channel.private && h('span', { class: 'hidden' }, ' (private)')),
      h('p', { class: 'head-topic', dir: 'auto', title: visible(channel.topic ?? channel.description ?? '') || undefined },
        visible(channel.topic || channel.description || '')));
  }
}
