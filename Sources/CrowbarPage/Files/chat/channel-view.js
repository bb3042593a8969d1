// One channel: header, messages, composer, members.

import { button, fill, h } from '../lib/h.js';
import { Endings } from '../lib/emitter.js';
import { Header } from './header.js';
import { MessageList } from './message-list.js';
import { lasting, load } from '../lib/storage.js';
import { notice, skeleton } from './notice.js';

const missingAfter = 1000;

export class ChannelView {
  #app;
  #ends = new Endings();
  #list;
  #composer;
  #later;
  #isStopped = false;
  #isMissing = false;

  constructor(app, id) {
    this.#app = app;
    this.id = id;
    this.header = new Header(app, id, () => this.members?.toggle());
    this.body = h('div', { class: 'channel-body' });
    this.foot = h('div', { class: 'channel-foot' });
    this.aside = h('aside', { class: 'members' });
    this.aside.hidden = !(load(lasting, 'crowbar.members') ?? matchMedia('(min-width: 1100px)').matches);
    this.node = h('div', { class: 'channel-view' },
      h('main', { class: 'channel-main', id: 'main', tabindex: '-1' }, this.header.node, this.body, this.foot),
      this.aside);
    const { model } = app;
    this.#ends.add(
      model.on(`messages:${id}`, () => this.#list?.render()),
      model.on(`outbox:${id}`, () => this.#list?.render()),
      model.on(`channel:${id}`, () => this.#channelChanged()),
      model.on(`members:${id}`, () => this.#list?.namesChanged()),
      model.on('users', () => this.#list?.namesChanged()),
      model.on('joined', (joined) => { if (joined === id) this.#completeMembers(true); }),
      model.on('message', (event) => this.#arrived(event)),
      () => this.header.stop(), () => this.members?.stop(), () => this.#list?.stop());
    if (app.isComplete) this.complete();
  }

  /** Adds what is loaded behind the first screen. */
  async complete() {
    const later = await this.#app.later();
    if (this.#isStopped || this.#later) return;
    this.#later = later;
    const { model } = this.#app;
    this.members = new later.Members(this.#app, this.id, this.aside);
    this.#completeMembers();
    this.#footer();
    this.#list?.complete(later);
    later.announce(`Channel ${model.state.channels.get(this.id)?.name ?? this.id}`);
  }

  #completeMembers(again = false) {
    const { model } = this.#app;
    if ((!again && model.state.members.has(this.id)) || !model.state.channels.has(this.id)) return;
    this.#later?.loadMembers(model, this.id).catch(() => {});
  }

  stop() {
    this.#isStopped = true;
    this.#ends.run();
  }

  /** Loads what is missing and shows it; then the message of `eventId`, if one is given. */
  async start(eventId) {
    const { model } = this.#app;
    model.open = this.id;
    this.#isMissing = !model.state.channels.has(this.id);
    if (this.#isMissing) {
      // The event of a channel that was just created or joined may be on its way.
      setTimeout(() => { if (this.#isMissing) this.#missing(); }, missingAfter);
      return;
    }
    this.#footer();
    const wait = setTimeout(() => fill(this.body, skeleton()), 300);
    try {
      const window = model.state.messages.get(this.id);
      // Who was up in the history, and comes back, sees the newest messages.
      if (!window || (window.newer && !eventId)) await model.loadNewest(this.id);
    } catch (error) {
      this.#failed(error, eventId);
      return;
    } finally {
      clearTimeout(wait);
    }
    if (this.#isStopped) return;
    this.#showList(eventId);
  }

  /** Shows a message of the channel that is open. */
  async showEvent(eventId) {
    try {
      if (!await this.#list.showEvent(eventId)) this.#app.showError(new Error('This message does not exist any more.'));
    } catch (error) {
      this.#app.showError(error);
    }
  }

  focusComposer() { (this.#composer ?? this.node.querySelector('main')).focus(); }

  #showList(eventId) {
    const app = this.#app;
    const { model } = app;
    this.on = {
      // Until the rest is loaded, no row has actions.
      actions: () => this.#later?.rowActions(app, this),
      canWrite: () => this.#later !== undefined && model.state.channels.get(this.id)?.member === true,
      jump: (target) => app.go(`#/c/${encodeURIComponent(this.id)}/m/${encodeURIComponent(target)}`),
      failed: (error) => app.showError(error),
    };
    this.#list = new MessageList(app, this.id, this.on);
    if (this.#later) this.#list.complete(this.#later);
    this.empty = h('div', { class: 'empty-channel' },
      h('h2', {}, 'Nothing has been said here yet'), h('p', {}, 'The first message can be yours.'));
    fill(this.body, this.empty, this.#list.node);
    this.#list.show();
    this.#showEmpty();
    this.#ends.add(this.#app.model.on(`messages:${this.id}`, () => this.#showEmpty()),
      this.#app.model.on(`outbox:${this.id}`, () => this.#showEmpty()));
    if (eventId) this.showEvent(eventId);
  }

  #showEmpty() {
    const window = this.#app.model.state.messages.get(this.id);
    this.empty.hidden = !window || window.list.length > 0 || (this.#app.outbox?.of(this.id).length ?? 0) > 0;
  }

  get list() { return this.#list; }
  get composer() { return this.#composer; }

  #arrived(event) {
    if (event.channelId !== this.id || event.userId === this.#app.model.me) return;
    this.#list?.arrived();
    const { model } = this.#app;
    this.#later?.announceMessage(model.nameOf(event.userId, event.userName), event.message, model.state.channels.get(this.id)?.name ?? this.id);
  }

  #channelChanged() {
    const channel = this.#app.model.state.channels.get(this.id);
    // What becomes of a channel that is gone is said by the shell.
    if (!channel) return;
    if (this.#isMissing) {
      this.start();
      this.#completeMembers();
    } else if (channel.member !== this.wasMember) {
      this.#footer();
      this.#list?.namesChanged();
    }
  }

  #footer() {
    const { model } = this.#app;
    const channel = model.state.channels.get(this.id);
    this.wasMember = channel?.member;
    this.#composer = undefined;
    if (!channel) return;
    if (!channel.member) {
      fill(this.foot, h('div', { class: 'join-bar' }, model.isAnonymous
        ? [h('span', {}, 'You are reading without an account.'), h('a', { class: 'button button-main', href: '#/sign-in' }, 'Sign in')]
        : [h('span', {}, 'You are not a member of this channel.'),
          button({ class: 'button button-main', onclick: () => this.#app.join(this.id) }, 'Join')]));
      return;
    }
    if (!this.#later) {
      fill(this.foot, h('div', { class: 'composer-box' }));
      return;
    }
    this.#composer = new this.#later.Composer(this.#app, this.id, {
      lastOwn: () => model.state.messages.get(this.id)?.list.findLast((message) => message.userId === model.me),
      toEnd: () => this.#list?.toEnd(),
    });
    fill(this.foot, this.#composer.node);
    const isFree = document.activeElement === document.body || document.activeElement?.closest('.sidebar');
    if (isFree && matchMedia('(pointer: fine)').matches && !document.querySelector('dialog[open]')) this.#composer.focus();
  }

  #missing() {
    fill(this.body, notice('This channel does not exist', 'It was deleted, or it is private and you are not a member.',
      h('a', { class: 'button', href: '#/' }, 'To your channels')));
  }

  #failed(error, eventId) {
    if (error.code === 'channel_not_found') {
      this.#missing();
      return;
    }
    fill(this.body, notice('The messages cannot be loaded', error.message,
      button({ class: 'button button-main', onclick: () => this.start(eventId) }, 'Try again')));
  }
}
