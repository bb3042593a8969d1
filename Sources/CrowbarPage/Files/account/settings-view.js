// Settings: name, theme, notifications, password, sessions.

import { button, fill, h } from '../lib/h.js';
import { announce } from '../lib/announcer.js';
import { confirmDialog } from '../lib/dialog.js';
import { check, field, form, require } from '../lib/form.js';
import { fullText } from '../lib/time.js';
import { lasting, load, save } from '../lib/storage.js';
import { screen } from '../lib/screen.js';
import { nameFault, passwordFault } from '../data/rules.js';
import { notificationsKey } from '../chat/notifier.js';

export class SettingsView {
  #app;

  constructor(app) {
    this.#app = app;
    const { session, about } = app;
    const isSession = session && session.kind !== 'token';
    this.sessions = h('ul', { class: 'pick-list' });
    this.node = screen(app, 'Settings', 'settings',
      h('div', { class: 'page-scroll settings' },
        session && this.#section('Name', this.#name()),
        this.#section('Appearance', this.#theme()),
        session && this.#section('Notifications', this.#notifications()),
        isSession && about.passwords && this.#section('Password', this.#password()),
        isSession && this.#section('Where you are signed in', [this.sessions, this.#everywhere()]),
        this.#section('About', h('p', { class: 'muted' },
          session && ['Signed in as ', h('bdi', {}, session.userId), '. '],
          `Crowbar ${about.version}.`))));
  }

  start() {
    document.getElementById('main').focus();
    const { session } = this.#app;
    if (session && session.kind !== 'token') this.#loadSessions();
  }

  stop() {}

  #section(title, content) {
    return h('section', { class: 'section' }, h('h2', {}, title), content);
  }

  #name() {
    const { model, limits } = this.#app;
    const name = field('Shown name', { value: model.nameOf(model.me, this.#app.session.name) });
    return form({
      fields: [name], action: 'Save', submit: async () => {
        require(nameFault(name.input.value, limits), name);
        await this.#app.run(undefined, 'nick', name.input.value.trim());
      },
    });
  }

  #theme() {
    const chosen = lasting.getItem('crowbar.theme') ?? 'system';
    const choice = (value, label) => h('label', { class: 'check' }, h('input', {
      type: 'radio', name: 'theme', value, checked: chosen === value, onchange: () => {
        lasting.setItem('crowbar.theme', value);
        if (value === 'system') delete document.documentElement.dataset.theme;
        else document.documentElement.dataset.theme = value;
      },
    }), h('span', {}, label));
    return h('fieldset', { class: 'choices' }, h('legend', {}, 'Theme'),
      choice('system', 'As the system'), choice('light', 'Light'), choice('dark', 'Dark'));
  }

  #notifications() {
    if (!('Notification' in window) || !isSecureContext) {
      return h('p', { class: 'hint' }, 'Browsers allow notifications only on https and on localhost.');
    }
    const hint = h('p', { class: 'hint' });
    const box = check('Notify me on this computer when somebody mentions me', {
      checked: load(lasting, notificationsKey) === true && Notification.permission === 'granted',
      onchange: async (event) => {
        const isWanted = event.target.checked && await Notification.requestPermission() === 'granted';
        if (event.target.checked && !isWanted) fill(hint, 'The browser does not allow it for this site.');
        event.target.checked = isWanted;
        save(lasting, notificationsKey, isWanted || undefined);
      },
    });
    return [box.node, hint];
  }

  #password() {
    const old = field('Present password', { type: 'password', autocomplete: 'current-password' });
    const fresh = field('New password', { type: 'password', autocomplete: 'new-password' }, 'Ends all your other sessions.');
    return form({
      fields: [old, fresh], action: 'Change', submit: async () => {
        require(passwordFault(fresh.input.value), fresh);
        await this.#app.api.post('/api/password', { old: old.input.value, new: fresh.input.value });
        old.input.value = '';
        fresh.input.value = '';
        announce('Password changed');
        this.#loadSessions();
      },
    });
  }

  async #loadSessions() {
    try {
      const { data } = await this.#app.api.get('/api/tokens');
      this.count = data.filter((token) => token.kind === 'session').length;
      fill(this.sessions, data.map((token) => h('li', { class: 'pick' },
        h('span', { class: 'pick-main' },
          h('span', {}, token.kind === 'session' ? 'Session' : `Token ${token.name ?? ''}`, token.current && ' (this one)'),
          h('span', { class: 'muted' }, [token.address, token.lastUsed && `last used ${fullText(token.lastUsed)}`].filter(Boolean).join(', '))),
        !token.current && button({
          class: 'button button-small', onclick: () => this.#app.api.call('DELETE', `/api/tokens/${encodeURIComponent(token.id)}`)
            .then(() => this.#loadSessions(), this.#app.showError),
        }, 'End'))));
    } catch (error) {
      fill(this.sessions, h('li', { class: 'muted' }, `The list cannot be loaded: ${error.message}`));
    }
  }

  #everywhere() {
    return h('div', { class: 'buttons' }, button({
      class: 'button', onclick: async () => {
        const what = this.count === 1 ? 'your session' : `your ${this.count ?? ''} sessions`;
        const isSure = await confirmDialog('Sign out everywhere?', `This ends ${what}, this one too. Drafts and unsent messages in this browser are deleted.`, 'Sign out');
        if (isSure) this.#app.signOut({ everywhere: true }).catch(this.#app.showError);
      },
    }, 'Sign out everywhere'));
  }
}
