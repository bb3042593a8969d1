// Messages that the server has not answered yet. Each is repeated with the same bytes and the same eventId until it is
// answered, so that repeating it never sends it twice. Kept in the browser's storage, in order, by channel.

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
    for (const key of keysOf(storageOf(session), prefix)) {
      const entries = load(storageOf(session), key) ?? [];
      if (entries.length) this.#queues.set(key.slice(prefix.length), entries);
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
    this.#queues.set(id, [...this.of(id), entry]);
    this.#changed(id);
    this.#run(id);
  }

  /** Removes an entry and gives it, so that its text can be edited and sent as another message. */
  take(id, eventId) {
    const entry = this.of(id).find((one) => one.eventId === eventId);
    this.#queues.set(id, this.of(id).filter((one) => one !== entry));
    this.#changed(id);
    return entry;
  }

  /** Removes entries that are among the messages now. */
  settle(id, messages) {
    const sent = this.of(id).filter((entry) => entry.state === 'sent');
    if (!sent.length) return;
    const known = new Set(messages.map((message) => message.eventId));
    if (!sent.some((entry) => known.has(entry.eventId))) return;
    this.#queues.set(id, this.of(id).filter((entry) => !(entry.state === 'sent' && known.has(entry.eventId))));
    this.#changed(id);
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
    this.#queues.set(id, this.of(id).map((one) => (
      one.state === 'waiting' || one.state === 'sending' ? { ...one, state: 'waiting', reason } : one)));
    this.#changed(id);
  }

  #set(id, entry, values) {
    this.#queues.set(id, this.of(id).map((one) => (one.eventId === entry.eventId ? { ...one, ...values } : one)));
    this.#changed(id);
  }

  #changed(id) {
    const stored = this.of(id).filter((entry) => entry.state !== 'sent')
      .map((entry) => (entry.state === 'sending' ? { ...entry, state: 'waiting' } : entry));
    save(storageOf(this.#session), `crowbar.outbox.${this.#session.userId}/${id}`, stored.length ? stored : undefined);
    this.#model.changed(`outbox:${id}`);
  }
}
