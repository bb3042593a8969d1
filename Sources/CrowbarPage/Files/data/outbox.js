// Messages that the server has not answered yet. Each is repeated with the same bytes and the same eventId until it is
// answered, so that repeating it never sends it twice. Kept in the browser's storage, each under a key of its own: two tabs
// that write in one channel keep what the other one has not sent yet.

import { keysOf, load, save } from '../lib/storage.js';
import { newEventId } from '../lib/ids.js';
import { storageOf } from './session.js';

const firstWait = 1000;
const longestWait = 15000;

export class Outbox {
  #api;
  #model;
  #session;
  /** By channel: entries {eventId, body, text, replyTo?, kind?, at, state: 'waiting' | 'sending' | 'sent' | 'refused', reason?}. */
  #queues = new Map();
  #running = new Set();
  #wakes = new Map();
  #isStopped = false;

  constructor(api, model, session) {
    this.#api = api;
    this.#model = model;
    this.#session = session;
    const prefix = `crowbar.outbox.${session.userId}/`;
    // Event ids begin with their time.
    for (const key of keysOf(storageOf(session), prefix).sort()) {
      const [id] = key.slice(prefix.length).split('/');
      const entry = load(storageOf(session), key);
      if (entry?.body) this.#queues.set(id, [...this.of(id), entry]);
    }
    model.on('connection', () => { if (model.connection.state === 'live') this.#wakeAll(); });
    for (const id of this.#queues.keys()) this.#run(id);
  }

  /** The entries of a channel that its messages do not show yet. */
  of(id) { return this.#queues.get(id) ?? []; }

  /** Sends a message. */
  send(id, { text, kind, replyTo }) {
    const eventId = newEventId();
    const body = JSON.stringify({
      type: 'SEND_MESSAGE', channelId: id, message: text, eventId,
      ...(kind ? { kind } : {}), ...(replyTo ? { replyTo: replyTo.messageId } : {}),
    });
    const { reason } = this.of(id).find((one) => one.state === 'waiting') ?? {};
    const entry = { eventId, body, text, kind, replyTo, at: Date.now(), state: 'waiting', reason };
    this.#replace(id, [...this.of(id), entry]);
    this.#run(id);
  }

  /** Removes an entry and gives it, so that its text can be edited and sent as another message. */
  take(id, eventId) {
    const entry = this.of(id).find((one) => one.eventId === eventId);
    this.#replace(id, this.of(id).filter((one) => one !== entry));
    return entry;
  }

  /** Removes entries that are among the messages now. */
  settle(id, messages) {
    const sent = this.of(id).filter((entry) => entry.state === 'sent');
    if (!sent.length) return;
    const known = new Set(messages.map((message) => message.eventId));
    if (!sent.some((entry) => known.has(entry.eventId))) return;
    this.#replace(id, this.of(id).filter((entry) => !(entry.state === 'sent' && known.has(entry.eventId))));
  }

  stop() {
    this.#isStopped = true;
    this.#wakeAll();
  }

  async #run(id) {
    if (this.#running.has(id)) return;
    this.#running.add(id);
    let failures = 0;
    for (;;) {
      const entry = this.of(id).find((one) => one.state === 'waiting' || one.state === 'sending');
      if (!entry || this.#isStopped) break;
      try {
        this.#set(id, entry, { state: 'sending' });
        await this.#api.post('/api/commands', entry.body);
        failures = 0;
        // The server is back: the stream need not wait any longer.
        if (this.#model.connection.state === 'offline') this.#model.retry();
        this.#set(id, entry, { state: 'sent' });
      } catch (error) {
        if (this.#isStopped) break;
        if (error.isTemporary) {
          // Those behind it wait with it.
          this.#setWaiting(id, error.message);
          await this.#wait(id, Math.max((error.retryAfter ?? 0) * 1000, firstWait * 2 ** failures));
          failures += 1;
        } else if (error.status === 401) {
          break;
        } else {
          this.#set(id, entry, { state: 'refused', reason: error.message });
        }
      }
    }
    this.#running.delete(id);
  }

  #wait(id, milliseconds) {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, Math.min(longestWait, milliseconds));
      this.#wakes.set(id, () => {
        clearTimeout(timer);
        resolve();
      });
    });
  }

  #wakeAll() {
    for (const wake of this.#wakes.values()) wake();
    this.#wakes.clear();
  }

  #setWaiting(id, reason) {
    this.#replace(id, this.of(id).map((one) => (
      one.state === 'waiting' || one.state === 'sending' ? { ...one, state: 'waiting', reason } : one)));
  }

  #set(id, entry, values) {
    this.#replace(id, this.of(id).map((one) => (one.eventId === entry.eventId ? { ...one, ...values } : one)));
  }

  /** Replaces the entries of a channel, and stores those that are different. */
  #replace(id, entries) {
    const old = new Map(this.of(id).map((entry) => [entry.eventId, entry]));
    this.#queues.set(id, entries);
    for (const entry of entries) {
      if (old.get(entry.eventId) !== entry) this.#store(id, entry.eventId, entry.state === 'sent' ? undefined : entry);
      old.delete(entry.eventId);
    }
    for (const eventId of old.keys()) this.#store(id, eventId, undefined);
    this.#model.changed(`outbox:${id}`);
  }

  #store(id, eventId, entry) {
    const stored = entry && { ...entry, state: entry.state === 'sending' ? 'waiting' : entry.state };
    save(storageOf(this.#session), `crowbar.outbox.${this.#session.userId}/${id}/${eventId}`, stored);
  }
}
