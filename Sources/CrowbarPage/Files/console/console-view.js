// The operator's console: its sections, and one plugin.

import { addStyles, screen } from '../lib/screen.js';
import { h } from '../lib/h.js';
import { visible } from '../chat/names.js';

const styled = addStyles(new URL('console.css', import.meta.url).href);

/** The sections by their addresses: a title, and what makes them. */
const sections = {
  plugins: ['Plugins', async (app, body, name) => (name
    ? new (await import('./plugin-view.js')).PluginView(app, name, body) : new (await import('./plugin-list.js')).PluginList(app, body))],
  replays: ['Replays', async (...given) => new (await import('./replays.js')).Replays(...given)],
  users: ['Users', async (...given) => (await import('./people.js')).users(...given)],
  invites: ['Invites', async (...given) => (await import('./people.js')).invites(...given)],
  tokens: ['Tokens', async (...given) => (await import('./people.js')).tokens(...given)],
  hooks: ['Hooks', async (...given) => (await import('./people.js')).hooks(...given)],
  views: ['Views', async (...given) => (await import('./server.js')).views(...given)],
  audit: ['Audit', async (...given) => (await import('./server.js')).audit(...given)],
  nodes: ['Nodes', async (...given) => (await import('./server.js')).nodes(...given)],
};

export class ConsoleView {
  #app;
  #isStopped = false;

  constructor(app, { section, id }) {
    this.#app = app;
    this.key = section === 'plugins' ? 'plugins' : Object.hasOwn(sections, id) ? id : 'plugins';
    this.name = section === 'plugins' ? id : undefined;
    const [title] = sections[this.key];
    this.body = h('div', { class: 'page-scroll console' });
    this.node = screen(app, this.name ? [h('a', { href: '#/plugins' }, title), h('bdi', {}, ` / ${visible(this.name)}`)] : title,
      'the console', [
        h('nav', { class: 'console-nav', 'aria-label': 'Console' }, Object.entries(sections).map(([key, [label]]) => h('a', {
          href: key === 'plugins' ? '#/plugins' : `#/console/${key}`, 'aria-current': key === this.key ? 'page' : undefined,
        }, label))), this.body]);
  }

  async start() {
    document.getElementById('main').focus();
    await styled;
    const content = await sections[this.key][1](this.#app, this.body, this.name);
    if (this.#isStopped) return;
    this.content = content;
    content.start?.();
  }

  stop() {
    this.#isStopped = true;
    this.content?.stop?.();
  }
}
