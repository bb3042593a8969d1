// The members of a channel.

import { button, fill, h, icon, keyed } from '../lib/h.js';
import { Endings } from '../lib/emitter.js';
import { confirmDialog, openMenu } from '../lib/dialog.js';
import { icons } from '../lib/icons.js';
import { lookalikes } from './lookalikes.js';
import { nameNode, origin, pluginOf } from './names.js';
import { lasting, save } from '../lib/storage.js';

const shown = 500;

export class Members {
  #app;
  #id;
  #ends = new Endings();

  /** `node` is the empty frame of the list. */
  constructor(app, id, node) {
    this.#app = app;
    this.#id = id;
    this.list = h('ul', { class: 'member-list' });
    this.title = h('h2', { class: 'sidebar-title', id: 'members-title' }, 'Members');
    this.node = node;
    node.setAttribute('aria-labelledby', 'members-title');
    node.onkeydown = (event) => { if (event.key === 'Escape') this.toggle(false); };
    fill(node, h('div', { class: 'sidebar-row' }, this.title,
      button({ class: 'icon-button', label: 'Hide members', onclick: () => this.toggle(false) }, icon(icons.close))),
    this.list);
    const render = () => this.render();
    this.#ends.add(app.model.on(`members:${id}`, render), app.model.on('users', render),
      app.model.on(`channel:${id}`, render));
    this.render();
  }

  stop() { this.#ends.run(); }

  /** Shows or hides the list. */
  toggle(isShown = this.node.hidden) {
    this.node.hidden = !isShown;
    save(lasting, 'crowbar.members', isShown);
    if (isShown) this.node.querySelector('button').focus();
  }

  render() {
    const { model } = this.#app;
    const members = model.state.members.get(this.#id);
    const rows = [...members ?? []].map((id) => ({ id, name: model.nameOf(id) }))
      .sort((a, b) => Number(Boolean(pluginOf(a.id))) - Number(Boolean(pluginOf(b.id))) || a.name.localeCompare(b.name));
    const alike = lookalikes(rows.map((row) => [row.id, row.name]));
    const count = model.state.channels.get(this.#id)?.users ?? rows.length;
    this.title.textContent = `Members · ${count}`;
    keyed(this.list, rows.slice(0, shown).map((row) => ({ ...row, showId: alike.has(row.id) })), (row) => row.id,
      (row) => this.#row(row), (a, b) => a?.name === b.name && a.showId === b.showId);
    if (rows.length > shown) this.list.append(h('li', { class: 'muted' }, `and ${rows.length - shown} more`));
  }

  #row({ id, name, showId }) {
    return h('li', {}, h('button', {
      type: 'button', class: 'member', 'aria-haspopup': 'menu', onclick: (event) => this.#menu(id, name, event.currentTarget),
    }, nameNode(id, name, { showId }), id === this.#app.model.me && h('span', { class: 'muted' }, ' you')));
  }

  #menu(id, name, anchor) {
    const { model, session, go, showError } = this.#app;
    const channel = model.state.channels.get(this.#id);
    const mayRemove = session && id !== model.me && (channel?.creator === model.me || session.role === 'admin');
    openMenu(anchor, [
      !model.isAnonymous && {
        label: `Messages of ${name}`,
        action: () => go(`#/search?channel=${encodeURIComponent(this.#id)}&from=${encodeURIComponent(id)}`),
      },
      { label: pluginOf(id) ? `${origin(id)}, id: ${id}` : `Id: ${id}`, action: () => {} },
      mayRemove && {
        label: 'Remove from this channel…', isDanger: true, action: async () => {
          const text = channel.private ? `${name} can no longer read it, and must be invited to come back.` : `${name} may join again.`;
          if (!await confirmDialog(`Remove ${name}?`, text, 'Remove')) return;
          this.#app.command('REMOVE_USER', this.#id, { member: id }).catch(showError);
        },
      },
    ]);
  }
}
