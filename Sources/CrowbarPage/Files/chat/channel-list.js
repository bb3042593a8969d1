// The channels of the reader, with what is unread, and the reader's own menu.

import { button, h, icon, keyed } from '../lib/h.js';
import { icons } from '../lib/icons.js';
import { mostUnread } from '../data/unread.js';
import { nameNode, visible } from './names.js';
import { Endings } from '../lib/emitter.js';

const countText = (count) => (count >= mostUnread ? `${mostUnread - 1}+` : String(count));

export class ChannelList {
  #app;
  #open;
  #ends = new Endings();

  constructor(app) {
    this.#app = app;
    const { model } = app;
    this.list = h('ul', { class: 'channel-list' });
    this.title = h('h2', { class: 'sidebar-title', id: 'channels-title' }, 'Channels');
    this.account = h('div', { class: 'account' });
    this.node = h('nav', { class: 'sidebar', 'aria-labelledby': 'channels-title' },
      h('div', { class: 'sidebar-head' }, h('a', { class: 'brand', href: '#/' }, 'Crowbar'),
        button({ class: 'icon-button', label: 'Switch channel (Ctrl+K)', onclick: () => app.openSwitcher() }, icon(icons.search)),
        button({ class: 'icon-button only-narrow', label: 'Close', onclick: () => app.hideSidebar() }, icon(icons.close))),
      h('div', { class: 'sidebar-scroll' },
        h('div', { class: 'sidebar-row' }, this.title,
          button({
            class: 'icon-button', label: model.isAnonymous ? 'All channels' : 'Join or create a channel',
            onclick: async () => (await app.later()).channelsDialog(app),
          }, icon(icons.add))),
        this.list),
      this.account);
    const render = () => this.render();
    this.#ends.add(model.on('channels', render), model.on('unread', render), model.on('invitations', render),
      model.on('users', () => this.#renderAccount()));
    this.render();
    this.#renderAccount();
  }

  stop() { this.#ends.run(); }

  setOpen(id) {
    this.#open = id;
    this.render();
  }

  render() {
    const { model } = this.#app;
    const channels = [...model.state.channels.values()]
      .filter((channel) => channel.member || model.isAnonymous || channel.id === this.#open);
    const rows = [
      ...[...model.invitations].filter(([id]) => !model.state.channels.get(id)?.member)
        .map(([id, by]) => ({ id, invitedBy: by })),
      ...channels.map((channel) => ({
        id: channel.id, channel, isOpen: channel.id === this.#open, ...model.unread.of(channel.id),
      })),
    ];
    keyed(this.list, rows, (row) => row.id, (row) => (row.invitedBy ? this.#invitation(row) : this.#row(row)),
      (a, b) => a?.channel === b.channel && a.isOpen === b.isOpen && a.unread === b.unread && a.mentions === b.mentions
        && a.invitedBy === b.invitedBy);
    this.title.textContent = rows.length ? 'Channels' : 'No channels yet';
  }

  #row({ id, channel, isOpen, unread, mentions }) {
    const name = visible(channel.name);
    const spoken = [name, channel.private && 'private', mentions && `${countText(mentions)} mentions`,
      unread && `${countText(unread)} unread`].filter(Boolean).join(', ');
    return h('li', {}, h('a', {
      class: ['channel', isOpen && 'channel-open', unread > 0 && 'channel-unread'].filter(Boolean).join(' '),
      href: `#/c/${encodeURIComponent(id)}`, 'aria-current': isOpen ? 'page' : undefined, 'aria-label': spoken,
      // The address of the open channel does not change by a click.
      onclick: () => this.#app.hideSidebar(),
    },
    channel.private ? icon(icons.lock) : h('span', { class: 'hash', 'aria-hidden': 'true' }, '#'),
    h('bdi', { class: 'channel-name' }, name),
    mentions > 0 && h('span', { class: 'count count-mentions' }, `@${countText(mentions)}`),
    unread > 0 && !mentions && h('span', { class: 'count' }, countText(unread))));
  }

  #invitation({ id, invitedBy }) {
    const { model } = this.#app;
    return h('li', { class: 'invitation' },
      h('span', {}, h('bdi', {}, visible(model.nameOf(invitedBy))), ' invites you to ', h('bdi', {}, id)),
      button({
        class: 'button button-small', onclick: () => this.#app.join(id),
      }, 'Join'));
  }

  #renderAccount() {
    const { model, session } = this.#app;
    if (model.isAnonymous) {
      this.account.replaceChildren(h('a', { class: 'button button-main', href: '#/sign-in' }, 'Sign in'));
      return;
    }
    this.account.replaceChildren(h('button', {
      type: 'button', class: 'account-button', 'aria-haspopup': 'menu',
      onclick: async ({ currentTarget }) => (await this.#app.later()).openMenu(currentTarget, [
        { label: 'Settings', action: () => this.#app.go('#/settings') },
        session.role === 'admin' && { label: 'Console', action: () => this.#app.go('#/plugins') },
        { label: 'Sign out', action: () => this.#app.signOut() },
      ]),
    }, nameNode(model.me, model.nameOf(model.me, session.name)), icon(icons.more)));
  }
}
