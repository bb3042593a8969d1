// Unread counts. The server counts; between its answers the page adds what the stream brings.

import { pathOf } from './api.js';

/** Counts stop here, on the server and on the page. */
export const mostUnread = 100;
const recountAfter = 400;

export class Unread {
  #api;
  #model;
  #entries = new Map();
  #last;
  #counted = 0;
  #timer;
  #isLoading = false;

  constructor(api, model) {
    this.#api = api;
    this.#model = model;
  }

  /** `{read, unread, mentions, last}` of a channel. */
  of(id) { return this.#entries.get(id) ?? { unread: 0, mentions: 0 }; }

  /** Sums over all channels. */
  get total() {
    let [unread, mentions] = [0, 0];
    for (const entry of this.#entries.values()) {
      unread += entry.unread;
      mentions += entry.mentions;
    }
    return { unread, mentions };
  }

  /** Loads the counts; gives the event behind which a stream goes on. */
  async load(min) {
    const { data, headers } = await this.#api.get(pathOf('/views/unread.json', { min }));
    this.#entries = new Map(Object.entries(data));
    this.#model.changed('unread');
    return headers.get('Crowbar-After') ?? undefined;
  }

  /** Counts a message of the stream. */
  count(event, isMention) {
    const { me, state } = this.#model;
    this.#last = event.eventId;
    this.#counted += 1;
    if (me === null || !state.channels.get(event.channelId)?.member) return;
    const isCounted = event.userId !== me && event.kind !== 'notice';
    const old = this.of(event.channelId);
    const entry = { ...old, last: event.eventId };
    if (isCounted) {
      entry.unread = Math.min(mostUnread, old.unread + 1);
      if (isMention) entry.mentions = Math.min(mostUnread, old.mentions + 1);
      // Another member's name may be the longer match.
      if (event.message.includes('@')) this.refresh();
    }
    this.#entries.set(event.channelId, entry);
    this.#model.changed('unread');
  }

  /** Takes the server's counts of one channel. */
  set({ channelId, eventId, unread, mentions }) {
    if (!channelId) return;
    this.#entries.set(channelId, { ...this.of(channelId), read: eventId, unread, mentions });
    this.#model.changed('unread');
  }

  /** Asks the server again, until its answer includes all messages that the stream has brought. */
  refresh(min) {
    this.#last = min ?? this.#last;
    if (this.#model.isAnonymous || this.#timer !== undefined) return;
    this.#timer = setTimeout(async () => {
      this.#timer = undefined;
      if (this.#isLoading) return this.refresh();
      this.#isLoading = true;
      const counted = this.#counted;
      try {
        await this.load(this.#last);
        this.#isLoading = false;
        if (counted !== this.#counted) this.refresh();
      } catch {
        // The next connection asks again.
        this.#isLoading = false;
      }
      return undefined;
    }, recountAfter);
  }

  stop() {
    clearTimeout(this.#timer);
    this.#timer = 0;
  }
}
