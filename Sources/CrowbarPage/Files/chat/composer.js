// Where messages are written: drafts, edits, replies, slash commands, completion.

import { button, fill, h, icon } from '../lib/h.js';
import { icons } from '../lib/icons.js';
import { Completion } from './completion.js';
import { draftOf, keepDraft } from '../data/drafts.js';
import { messageFault } from '../data/rules.js';
import { nameNode, visible } from './names.js';
import { plainText } from '../lib/markdown.js';
import { parseCommand } from './commands.js';

export class Composer {
  #app;
  #id;
  #on;
  /** {type: 'edit' | 'reply', message}, or undefined. */
  #mode;

  /** `on`: `lastOwn()` gives the newest own message, `toEnd()`. */
  constructor(app, id, on) {
    this.#app = app;
    this.#id = id;
    this.#on = on;
    const name = visible(app.model.state.channels.get(id)?.name ?? id);
    this.input = h('textarea', {
      class: 'composer-input', rows: '1', 'aria-label': `Message ${name}`, dir: 'auto',
      placeholder: `Message #${name}`, autocomplete: 'off', enterkeyhint: 'send',
      value: draftOf(app.session, id),
      oninput: () => this.#changed(), onkeydown: (event) => this.#key(event),
    });
    this.fault = h('p', { class: 'composer-fault', role: 'alert' });
    this.banner = h('div', { class: 'composer-banner', hidden: true });
    this.completion = new Completion(this.input, app.model, id);
    this.node = h('form', {
      class: 'composer', 'aria-label': 'Write a message',
      onsubmit: (event) => {
        event.preventDefault();
        this.#submit();
      },
    }, this.banner, this.completion.node,
    h('div', { class: 'composer-box' }, this.input,
      h('button', { type: 'submit', class: 'icon-button send', 'aria-label': 'Send', title: 'Send (Enter)' }, icon(icons.send))),
    this.fault);
    queueMicrotask(() => this.#resize());
  }

  focus() { this.input.focus(); }

  reply(message) {
    this.#enter({ type: 'reply', message });
    this.focus();
  }

  edit(message) {
    this.#enter({ type: 'edit', message });
    this.#setText(message.text);
    this.focus();
  }

  /** Shows a text to be edited and sent. */
  write(text) {
    this.#setText(text);
    this.focus();
  }

  /** Shows what went wrong. */
  showFault(text) { fill(this.fault, visible(text)); }

  #enter(mode) {
    if (this.#mode?.type === 'edit') this.#setText('');
    this.#mode = mode;
    this.banner.hidden = !mode;
    if (!mode) return;
    const { message } = mode;
    fill(this.banner,
      h('span', { class: 'banner-text' }, mode.type === 'edit' ? 'Editing your message' : 'Reply to ',
        mode.type === 'reply' && nameNode(message.userId, this.#app.model.nameOf(message.userId, message.userName)),
        mode.type === 'reply' && h('span', { class: 'quote-text', dir: 'auto' }, ` ${visible(plainText(message.text.slice(0, 200)))}`)),
      button({ class: 'icon-button', label: 'Cancel (Escape)', onclick: () => this.#leave() }, icon(icons.close)));
  }

  #leave() {
    const wasEdit = this.#mode?.type === 'edit';
    this.#mode = undefined;
    this.banner.hidden = true;
    if (wasEdit) this.#setText(draftOf(this.#app.session, this.#id));
    // The server may answer when the reader is elsewhere already.
    if (this.node.contains(document.activeElement)) this.focus();
  }

  #setText(text) {
    this.input.value = text;
    this.#resize();
    this.completion.close();
  }

  #changed() {
    this.#resize();
    this.showFault('');
    this.completion.update();
    if (this.#mode?.type !== 'edit') keepDraft(this.#app.session, this.#id, this.input.value);
  }

  #resize() {
    this.input.style.height = 'auto';
    this.input.style.height = `${Math.min(this.input.scrollHeight, 240)}px`;
  }

  #key(event) {
    if (event.isComposing || this.completion.key(event)) return;
    if (event.key === 'Enter' && !event.shiftKey) {
      event.preventDefault();
      this.#submit();
    } else if (event.key === 'Escape' && this.#mode) {
      event.preventDefault();
      this.#leave();
    } else if (event.key === 'ArrowUp' && !this.input.value && !event.shiftKey) {
      const message = this.#on.lastOwn();
      if (!message) return;
      event.preventDefault();
      this.edit(message);
    }
  }

  async #submit() {
    const text = this.input.value;
    const command = this.#mode?.type === 'edit' ? undefined : parseCommand(text);
    if (command && command.name !== 'me') {
      await this.#run(() => this.#app.run(this.#id, command.name, command.rest));
      return;
    }
    const message = command ? command.rest : text.startsWith('//') ? text.slice(1) : text;
    const fault = messageFault(message, this.#app.limits);
    if (fault) {
      // An empty message needs no words.
      if (message.trim()) this.showFault(fault);
      return;
    }
    if (this.#mode?.type === 'edit') {
      const { message: old } = this.#mode;
      if (message === old.text) this.#leave();
      else await this.#run(() => this.#app.command('EDIT_MESSAGE', this.#id, { messageId: old.messageId, message }));
      return;
    }
    this.#app.outbox.send(this.#id, {
      text: message, kind: command ? 'action' : undefined,
      replyTo: this.#mode?.type === 'reply' ? { messageId: this.#mode.message.messageId } : undefined,
    });
    this.#done();
    this.#on.toEnd();
  }

  /** Does something that the server can refuse; the text stays until it has not. */
  async #run(work) {
    try {
      const text = this.input.value;
      await work();
      if (this.input.value === text) this.#done();
    } catch (error) {
      this.showFault(error.message);
    }
  }

  #done() {
    if (this.#mode) this.#leave();
    keepDraft(this.#app.session, this.#id, '');
    this.#setText('');
    this.showFault('');
  }
}
