// The frame of the chat: channels on the left, a channel or another screen beside them.

import { button, h } from '../lib/h.js';
import { ChannelList } from './channel-list.js';
import { ChannelView } from './channel-view.js';
import { Endings } from '../lib/emitter.js';
import { notice } from './notice.js';
import { visible } from '../lib/visible.js';

export class Shell {
  #app;
  #view;
  #departed;
  #ends = new Endings();

  constructor(app) {
    this.#app = app;
    this.channels = new ChannelList(app);
    this.content = h('div', { class: 'content' });
    this.alert = h('div', { class: 'toast', role: 'alert', hidden: true });
    this.node = h('div', { class: 'shell' },
      h('a', { class: 'skip', href: '#main', onclick: (event) => {
        event.preventDefault();
        document.getElementById('main')?.focus();
      } }, 'Skip to the messages'),
      this.channels.node, this.content, this.alert);
    app.openSwitcher = async () => (await app.later()).openSwitcher(app);
    app.showSidebar = () => {
      this.node.classList.toggle('shell-channels', true);
      this.channels.node.querySelector('a.channel, button')?.focus();
    };
    app.hideSidebar = () => this.node.classList.remove('shell-channels');
    app.showError = (error) => this.#showError(error);
    const onKey = (event) => this.#key(event);
    addEventListener('keydown', onKey);
    this.#ends.add(() => removeEventListener('keydown', onKey), () => this.channels.stop(),
      app.model.on('departed', (departed) => this.#depart(departed)));
  }

  /** Adds what is loaded behind the first screen. */
  complete({ ConnectionBar, Notifier }) {
    const bar = new ConnectionBar(this.#app.model);
    const notifier = new Notifier(this.#app);
    this.node.insertBefore(bar.node, this.channels.node);
    this.#ends.add(() => bar.stop(), () => notifier.stop());
    this.#view?.complete?.();
  }

  stop() {
    this.#view?.stop();
    this.#ends.run();
  }

  /** Shows what an address names. */
  async show(route) {
    this.node.classList.remove('shell-channels');
    if (route.name === 'channel' && this.#view instanceof ChannelView && this.#view.id === route.id && !this.#departed) {
      if (route.event) await this.#view.showEvent(route.event);
      return;
    }
    this.#view?.stop();
    this.#departed = undefined;
    const { model } = this.#app;
    const left = model.open;
    model.open = undefined;
    if (left) model.trim(left);
    const view = await this.#viewOf(route);
    this.#view = view;
    this.content.replaceChildren(view.node);
    this.channels.setOpen(route.name === 'channel' ? route.id : undefined);
    await view.start?.(route.event);
  }

  async #viewOf(route) {
    const app = this.#app;
    if (route.name === 'channel') return new ChannelView(app, route.id);
    if (route.name === 'search') return new (await app.later()).SearchView(app, route.parameters);
    if (route.name === 'settings') return new (await app.later()).SettingsView(app);
    if (route.name === 'console') {
      try {
        const { ConsoleView } = await import('../console/console-view.js');
        return new ConsoleView(app, route);
      } catch {
        throw new Error('The server does not answer, or has a newer page. Reload this one.');
      }
    }
    return { node: this.#welcome(), stop: () => {} };
  }

  #welcome() {
    const { model } = this.#app;
    const hasChannels = [...model.state.channels.values()].some((channel) => channel.member);
    return h('main', { class: 'channel-main', id: 'main', tabindex: '-1' }, h('h1', { class: 'hidden' }, 'Crowbar'), hasChannels
      ? notice('Choose a channel', 'On the left, or by Ctrl+K.', button({ class: 'button only-narrow', onclick: () => this.#app.showSidebar() }, 'Channels'))
      : notice('No channels yet', model.isAnonymous ? 'This server has no public channels.' : 'Join a channel, or create the first one.',
        !model.isAnonymous && button({ class: 'button button-main', onclick: async () => (await this.#app.later()).channelsDialog(this.#app) }, 'Join or create a channel')));
  }

  async #depart(departed) {
    const { id, how } = departed;
    if (this.#view?.id !== id) return;
    // In a public channel one can stay and read.
    const isGone = how !== 'removed' || !this.#app.model.state.channels.has(id);
    const { departure } = await this.#app.later();
    const { node, text } = departure(this.#app.model, departed);
    if (!isGone) {
      this.#showError(new Error(text));
      return;
    }
    this.#departed = id;
    this.#view.stop();
    this.content.replaceChildren(node);
    this.channels.setOpen(undefined);
    node.focus();
  }

  #showError(error) {
    this.alert.textContent = visible(error.message);
    this.alert.hidden = false;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => { this.alert.hidden = true; }, 8000);
  }

  #key(event) {
    if ((event.ctrlKey || event.metaKey) && !event.shiftKey && !event.altKey && event.key.toLowerCase() === 'k') {
      event.preventDefault();
      if (!document.querySelector('dialog[open]')) this.#app.openSwitcher();
    } else if (event.key === 'Escape' && this.node.classList.contains('shell-channels')) {
      this.#app.hideSidebar();
    }
  }
}
