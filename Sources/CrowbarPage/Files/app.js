// The start: configuration, what the server is, who is signed in; then the screen that the address names.

import { Api, ApiError } from './data/api.js';
import { Model } from './data/model.js';
import { button, h } from './lib/h.js';
import { currentSession, dropSession, keepSession, onSessionChange } from './data/session.js';
import { lasting, load, save } from './lib/storage.js';
import { card } from './chat/notice.js';
import { routeOf } from './lib/router.js';

/** The version of the API that this page speaks. */
const apiVersion = 1;
/** The screens that need no session, and which functions of account/forms.js make them. */
const withoutSessionForms = {
  register: 'registerScreen', invite: 'registerScreen', setup: 'setupScreen', reset: 'resetScreen',
};
const withoutSession = new Set(['sign-in', ...Object.keys(withoutSessionForms)]);

/** What shows the chat: loaded while the server's first answers are awaited. */
const shell = import('./chat/shell.js');
// It is awaited later, and reported then.
shell.catch(() => {});

class App {
  api;
  /** What `/api/about` says. */
  about;
  session;
  model;
  outbox;
  #later;
  #shell;
  #root = document.getElementById('app');
  #starts = 0;
  /** What began to load before the server said what it is. */
  #early;
  /** Why the sign-in is shown. */
  #reason;
  /** Whether it is shown because somebody signed out here. */
  #isSignedOut = false;

  /** In bytes: those of the server, or those of its documentation. */
  get limits() { return { message: 16384, name: 256, topic: 4096, ...this.about?.limits }; }

  /** What is loaded behind the first screen: chat/later.js. */
  later() {
    this.#later ??= import('./chat/later.js').catch((error) => {
      this.#later = undefined;
      throw error;
    });
    return this.#later;
  }

  async #commands() { return new (await this.later()).Commands(this); }
  /** Sends a command. */
  async command(type, channelId, fields) { return (await this.#commands()).send(type, channelId, fields); }
  /** Runs a slash command in a channel. */
  async run(channelId, name, rest = '') { await (await this.#commands()).run(channelId, { name, rest }); }
  /** Joins a channel and shows it. */
  join = (id) => this.#commands().then((commands) => commands.join(id))
    .then(() => this.go(`#/c/${encodeURIComponent(id)}`), (error) => this.showError(error));

  /** Goes to an address. */
  go = (hash) => {
    if (location.hash === hash) this.#route();
    else location.hash = hash;
  };

  async start() {
    addEventListener('hashchange', () => this.#route());
    onSessionChange((session) => {
      if (session?.token === this.session?.token) return;
      this.#reason = session ? undefined : 'You signed out in another tab.';
      this.#isSignedOut = !session;
      this.#restart();
    });
    try {
      const config = await fetch('config.json', { cache: 'no-cache' }).then((response) => response.json());
      this.api = new Api(String(config.api ?? '').replace(/\/$/, ''));
      this.api.onUnauthorized = (message) => this.#ended(message);
      this.#loadEarly();
      this.about = await this.#readAbout();
      if (location.search.includes('state=')) await this.#finishOidc();
    } catch (error) {
      this.#unreachable(error, () => location.reload());
      return;
    }
    if (this.about.api !== apiVersion) {
      this.#show(card('This page and the server do not fit', h('p', {}, this.about.api > apiVersion
        ? 'The server is newer than this page. Reload the page; if that does not help, the copy of the page must be updated.'
        : 'The server is older than this page. Update the server, or use the page that it serves.'),
      button({ class: 'button button-main', onclick: () => location.reload() }, 'Reload')));
      return;
    }
    await this.#restart();
  }

  /** Begins to load the chat of who is signed in already, while the server is asked what it is. */
  #loadEarly() {
    this.session = currentSession();
    this.api.token = this.session?.token;
    if (!this.session || withoutSession.has(routeOf(location.hash).name) || location.search.includes('state=')) return;
    this.#early = this.#load();
    this.model = undefined;
  }

  /** Begins to load what the first screen shows: {token, model, loaded}. */
  #load() {
    const model = new Model(this.api, this.session?.userId ?? null);
    this.model = model;
    const route = this.#home(routeOf(location.hash));
    const loaded = Promise.all([
      this.session && this.api.get('/api/me'), model.start(route.name === 'channel' ? route.id : undefined),
    ]);
    // It may fail before somebody awaits it.
    loaded.catch(() => {});
    return { token: this.session?.token, model, loaded };
  }

  async #finishOidc() {
    const { finishOidc } = await import('./account/oidc.js');
    try {
      const session = await finishOidc(this.api);
      if (session) keepSession(session);
    } catch (error) {
      this.#reason = error.message;
    }
  }

  /** Keeps a new session and shows the chat. */
  signedIn(session) {
    keepSession(session);
    this.#reason = undefined;
    this.#isSignedOut = false;
    this.#restart(withoutSession.has(routeOf(location.hash).name) ? '#/' : undefined);
  }

  /** Ends this session, or all of the user's. */
  async signOut({ everywhere = false } = {}) {
    const isToken = this.session?.kind === 'token';
    if (everywhere) await this.api.post('/api/logout', { all: true });
    dropSession();
    if (!everywhere && !isToken) await this.api.post('/api/logout', {}).catch(() => {});
    this.#reason = 'You are signed out.';
    this.#isSignedOut = true;
    await this.#restart('#/sign-in');
  }

  async #readAbout() {
    try {
      return (await this.api.get('/api/about')).data;
    } catch (error) {
      // An older server.
      if (error.status === 404) return { api: 0 };
      throw error;
    }
  }

  #ended(message) {
    if (!this.session) return;
    // What the server says of tokens helps those who signed in with one.
    const why = this.session.kind === 'token' && message ? message : 'it expired, was ended elsewhere, or the account was disabled';
    dropSession({ keepTexts: true });
    this.#reason = `Your session has ended: ${why}. Sign in again.`;
    this.#isSignedOut = false;
    // At the very start the rest follows anyway.
    if (this.about) this.#restart();
  }

  /** Begins again with the present session, at an address if one is given. */
  async #restart(hash) {
    this.#starts += 1;
    const start = this.#starts;
    this.#shell?.stop();
    this.model?.stop();
    this.outbox?.stop();
    this.markers?.stop();
    this.#shell = undefined;
    this.isComplete = false;
    this.model = undefined;
    this.outbox = undefined;
    this.markers = undefined;
    this.session = currentSession();
    this.api.token = this.session?.token;
    if (hash !== undefined && location.hash !== hash) history.replaceState(null, '', hash);
    const route = routeOf(location.hash);
    if (withoutSession.has(route.name) || (!this.session && !this.about?.anonymousRead)) {
      this.#showAccount(route);
      return;
    }
    await this.#startChat(start);
  }

  async #startChat(start) {
    const wait = setTimeout(() => this.#show(h('main', { class: 'card-page' }, h('p', { class: 'muted' }, 'Loading…'))), 300);
    const early = this.#early;
    this.#early = undefined;
    const { model, loaded } = early && early.token === this.session?.token ? early : this.#load();
    this.model = model;
    model.on('departed', ({ id }) => { if (load(lasting, this.#channelKey) === id) save(lasting, this.#channelKey, undefined); });
    let Shell;
    try {
      const [[me], module] = await Promise.all([loaded, shell]);
      Shell = module.Shell;
      if (start === this.#starts && me) this.#keepMe(me.data);
    } catch (error) {
      if (start !== this.#starts) return;
      this.#unreachable(error, () => (error instanceof ApiError ? this.#restart() : location.reload()));
      return;
    } finally {
      clearTimeout(wait);
    }
    if (start !== this.#starts) return;
    this.#shell = new Shell(this);
    this.#show(this.#shell.node);
    this.#route();
    try {
      const [{ Outbox, ReadMarkers, styled }] = await Promise.all([this.later(), model.follow({
        stale: () => this.#restart(), ended: (message) => this.#ended(message),
      })]);
      await styled;
      if (start !== this.#starts) return;
      if (this.session) {
        this.outbox = new Outbox(this.api, model, this.session);
        this.markers = new ReadMarkers(this.api, model);
      }
      this.isComplete = true;
      this.#shell.complete(await this.later());
    } catch (error) {
      if (start === this.#starts) this.#unreachable(error, () => location.reload());
    }
  }

  /** The name and the role may have changed since the sign-in. */
  #keepMe({ name, role }) {
    this.session = { ...this.session, name, role };
    keepSession(this.session);
  }

  #route() {
    const route = routeOf(location.hash);
    if (withoutSession.has(route.name)) {
      if (route.name === 'sign-in' && this.session && this.#shell) this.go('#/');
      else this.#restart();
      return;
    }
    if (!this.#shell) {
      this.#restart();
      return;
    }
    const shown = this.#home(route);
    if (shown.name === 'channel') save(lasting, this.#channelKey, shown.id);
    this.#shell.show(shown).catch((error) => this.showError(error));
  }

  get #channelKey() { return `crowbar.channel.${this.session?.userId ?? ''}`; }

  /** In place of the empty address: the channel that was open last, or the first one. */
  #home(route) {
    if (route.name !== 'home') return route;
    const { channels } = this.model.state;
    const kept = load(lasting, this.#channelKey);
    // Before the channels are known the last one is the best guess.
    if (kept && (channels.size === 0 || channels.get(kept)?.member || (!this.session && channels.has(kept)))) {
      return { name: 'channel', id: kept };
    }
    const first = [...channels.values()].find((channel) => channel.member || !this.session);
    return first ? { name: 'channel', id: first.id } : route;
  }

  async #showAccount(route) {
    const start = this.#starts;
    const screen = route.name in withoutSessionForms
      ? (await import('./account/forms.js'))[withoutSessionForms[route.name]](this, route.token)
      : (await import('./account/sign-in.js')).signInScreen(this, this.#reason, this.#isSignedOut);
    if (start !== this.#starts) return;
    this.#show(screen);
    (this.#root.querySelector('[autofocus]') ?? this.#root.querySelector('input, main'))?.focus();
  }

  #unreachable(error, retry) {
    const text = error instanceof ApiError ? error.message : `The page cannot be loaded: ${error.message}`;
    let timer;
    const again = () => {
      clearTimeout(timer);
      retry();
    };
    if (!(error instanceof ApiError) || error.isTemporary) timer = setTimeout(again, 5000);
    this.#show(card('The server cannot be reached', h('p', {}, text),
      h('div', { class: 'buttons' }, button({ class: 'button button-main', onclick: again }, 'Try again'),
        this.about && this.session && button({ class: 'button', onclick: () => { clearTimeout(timer); this.signOut(); } }, 'Sign out'))));
  }

  #show(node) { this.#root.replaceChildren(node); }

  // Set by the shell.
  openSwitcher = () => {};
  showSidebar = () => {};
  hideSidebar = () => {};
  showError = (error) => this.#unreachable(error, () => this.#restart());
}

new App().start();
