// What the page knows: the folded state, loaded from the views and kept up to date by the stream.
// Topics: those of the fold, and `unread`, `connection`, `invitations`, `departed` (with {id, how, by}).

import { AT, emptyState, forget } from './state.js';
import { ApiError, parsed, pathOf } from './api.js';
import { Emitter } from '../lib/emitter.js';
import { Unread } from './unread.js';

const page = 100;
/** Messages that are kept of the open channel, and of each other one. */
const keptOpen = 1000;
const keptOther = 200;
const mostRecent = 1000;
/** Milliseconds after a reconnection in which messages count as missed ones. */
const resumedWithin = 1500;

export class Model extends Emitter {
  state;
  unread;
  connection = { state: 'connecting' };
  /** {at, count}: when the connection came back last, and how many messages came with it. */
  resumed;
  /** Private channels that the reader is invited to: ids to who invited them. */
  invitations = new Map();
  /** The id of the channel on the screen. */
  open;
  #api;
  #stream;
  #loading = new Map();
  #stopped = false;
  /** The event behind which the stream begins. */
  #after;
  /** The module fold.js; nothing is applied before it is there. */
  #rules;
  /** The entries that came last: those that an answer does not include are applied to it. */
  #recent = [];

  constructor(api, me) {
    super();
    this.#api = api;
    this.state = emptyState(me);
    this.unread = new Unread(api, this);
  }

  get me() { return this.state.me; }
  get isAnonymous() { return this.state.me === null; }

  /** Loads what the first screen shows. */
  async start(channelId) {
    // The oldest answer tells where the stream begins. Others that are of another moment are asked for again.
    const others = [
      ...(this.isAnonymous ? [] : [(min) => this.#loadChannels(min)]),
      ...(channelId ? [(min) => this.loadNewest(channelId, min)] : []),
    ];
    const started = others.map((load) => load().catch((error) => error));
    this.#after = await (this.isAnonymous ? this.#loadChannels() : this.unread.load());
    for (const [index, load] of others.entries()) {
      const result = await started[index];
      if (result instanceof ApiError) {
        if (result.code !== 'channel_not_found') throw result;
      } else if (result !== this.#after) {
        await load(this.#after);
      }
    }
  }

  /** Begins to follow the log behind what was loaded. `on`: `ended(message)`, `stale()`. */
  async follow(on) {
    const [{ SharedStream }, fold] = await Promise.all([import('./share.js'), import('./fold.js')]);
    this.#rules = fold;
    if (this.#stopped) return;
    this.#stream = new SharedStream(this.#api, `${this.#api.base}|${this.me ?? ''}`, {
      frame: (frame) => this.#frame(frame), open: () => this.#reload(), stale: on.stale, ended: on.ended,
      status: (status) => {
        if (status.state === 'live' && this.connection.state === 'offline') this.resumed = { at: Date.now(), count: 0 };
        this.connection = status;
        this.changed('connection');
      },
    });
    const last = await this.#stream.listen();
    // Another tab holds the stream and is past what was loaded here.
    if (last && last !== this.#after) await this.#reload(last);
    if (!this.#stopped) this.#stream.start(last ?? this.#after);
  }

  stop() {
    this.#stopped = true;
    this.#stream?.stop();
    this.unread.stop();
  }

  retry() { this.#stream?.retry(); }

  /** Shows a user's present name. */
  nameOf(userId, otherwise) {
    // The stream tells no names of plugins' users: of `irc/libera/bob` the end is shown until a view tells it.
    return this.state.users.get(userId)?.name ?? otherwise ?? (userId.slice(userId.lastIndexOf('/') + 1) || userId);
  }

  // Loading

  /** Reads a view: {data, position, after}. */
  async view(name, parameters) {
    const { data, headers } = await this.#api.get(pathOf(`/views/${name}.json`, parameters));
    const position = Number(/^"\d+-(\d+)-/.exec(headers.get('ETag') ?? '')?.[1] ?? 0);
    return { data, position, after: headers.get('Crowbar-After') ?? undefined };
  }

  async #loadChannels(min) {
    const { data, position, after } = await this.view('allchannels', { min });
    const { state } = this;
    const known = new Set(data.map((channel) => channel.id));
    for (const id of [...state.channels.keys()]) if (!known.has(id)) this.#lose(id, 'gone');
    const old = state.channels;
    state.channels = new Map(data.map((channel) => [
      channel.id, { ...channel, ...(old.get(channel.id)?.creator ? { creator: old.get(channel.id).creator } : {}) },
    ]));
    state.positions.channels = position;
    for (const id of known) {
      this.changed(`channel:${id}`);
      if (data.find((channel) => channel.id === id).member) this.invitations.delete(id);
    }
    this.changed('channels');
    this.replay(position);
    return after;
  }

  /** Loads the newest messages of a channel. */
  async loadNewest(id, min) {
    const { data, position, after } = await this.view(`messages/${encodeURIComponent(id)}`, { limit: page, min });
    this.#setWindow(id, data, position);
    return after;
  }

  /** Loads the messages around an event. */
  async loadAround(id, eventId) {
    const { data, position } = await this.view(`messages/${encodeURIComponent(id)}`, { limit: page, around: eventId });
    this.#setWindow(id, data, position);
  }

  #setWindow(id, data, position) {
    const list = data.messages.map((message) => Object.assign(message, { [AT]: position }));
    this.state.messages.set(id, { list, older: data.older, newer: data.newer, position });
    this.changed(`messages:${id}`);
    this.replay(position);
  }

  /** Applies the entries that an answer does not include. What includes them skips them. */
  replay(position) {
    for (const entry of this.#recent) if (entry.position > position) this.#fold(entry);
  }

  /** Loads the page before or after what is loaded. `direction` is `older` or `newer`. */
  loadMore(id, direction) {
    const key = `${direction}:${id}`;
    if (!this.#loading.has(key)) {
      this.#loading.set(key, this.#more(id, direction).finally(() => this.#loading.delete(key)));
    }
    return this.#loading.get(key);
  }

  async #more(id, direction) {
    const window = this.state.messages.get(id);
    if (!window?.[direction] || window.list.length === 0) return;
    const edge = direction === 'older' ? window.list[0] : window.list[window.list.length - 1];
    const parameters = { limit: page, [direction === 'older' ? 'before' : 'after']: edge.eventId };
    const { data, position } = await this.view(`messages/${encodeURIComponent(id)}`, parameters);
    if (this.state.messages.get(id) !== window) return;
    const known = new Set(window.list.map((message) => message.messageId));
    const fresh = data.messages.filter((message) => !known.has(message.messageId))
      .map((message) => Object.assign(message, { [AT]: position }));
    if (direction === 'older') {
      window.list.unshift(...fresh);
      window.older = data.older;
    } else {
      window.list.push(...fresh);
      window.newer = data.newer;
    }
    window.position = Math.min(window.position, position);
    this.replay(position);
    this.trim(id, direction);
    this.changed(`messages:${id}`);
  }

  /** Drops messages of a channel beyond the bound, at the end away from `direction`. */
  trim(id, direction = 'newer') {
    const window = this.state.messages.get(id);
    const excess = (window?.list.length ?? 0) - (id === this.open ? keptOpen : keptOther);
    if (excess <= 0) return;
    if (direction === 'older') {
      window.list.splice(-excess);
      window.newer = true;
    } else {
      window.list.splice(0, excess);
      window.older = true;
    }
  }

  // Following

  #frame(frame) {
    if (frame.event === 'read') {
      this.unread.set(parsed(frame.data) ?? {});
    } else if (frame.event === 'message') {
      this.apply(parsed(frame.data) ?? {});
    }
  }

  /** Applies an entry of the log. */
  apply(entry) {
    const { event } = entry;
    if (!event) return;
    const { state } = this;
    const before = state.channels.get(event.channelId);
    const isNew = entry.position > (state.messages.get(event.channelId)?.position ?? 0);
    this.#recent.push(entry);
    if (this.#recent.length > mostRecent) this.#recent.shift();
    this.#fold(entry);
    this.#note(event, before);
    if (event.type === 'MESSAGE_SENT') {
      this.unread.count(event, this.#rules.mentionsReader(state, event));
      if (isNew) this.tell('message', event);
      if (this.resumed && Date.now() - this.resumed.at < resumedWithin) {
        this.resumed.count += 1;
        this.changed('connection');
      }
      if (event.channelId !== this.open) this.trim(event.channelId);
    }
  }

  #fold(entry) {
    for (const topic of this.#rules.fold(this.state, entry)) {
      if (topic !== 'unknown-channel') this.changed(topic);
      else if (entry.event.userId === this.me) this.#loadChannels(entry.event.eventId).catch(() => {});
    }
  }

  /** Invitations, and channels that the reader no longer has. */
  #note(event, before) {
    const id = event.channelId;
    if (event.type === 'USER_INVITED' && event.invitee === this.me) {
      this.invitations.set(id, event.userId);
      this.changed('invitations');
    } else if (event.type === 'USER_JOINED_CHANNEL' && event.userId === this.me) {
      if (this.invitations.delete(id)) this.changed('invitations');
      this.unread.refresh();
      // Before the join the stream had none of the channel's events.
      if (this.state.messages.has(id)) this.loadNewest(id, event.eventId).catch(() => {});
      this.tell('joined', id);
    } else if (event.type === 'USER_REMOVED' && event.member === this.me && before?.member) {
      this.tell('departed', { id, how: 'removed', by: event.userId });
    } else if (event.type === 'CHANNEL_DESTROYED' && before) {
      this.tell('departed', { id, how: 'destroyed', by: event.userId });
    }
  }

  #lose(id, how) {
    const isMember = this.state.channels.get(id)?.member;
    forget(this.state, id);
    this.changed(`channel:${id}`);
    if (isMember) this.tell('departed', { id, how });
  }

  /** After each connection: what the page missed may have ended a membership, which no event tells. */
  async #reload(min) {
    this.unread.refresh(min);
    await Promise.all([
      this.#loadChannels(min), min && this.open && this.state.messages.has(this.open) && this.loadNewest(this.open, min),
    ]).catch(() => {});
  }
}
