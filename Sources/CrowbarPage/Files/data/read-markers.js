// Read markers: how far the reader has read each channel, on all devices.

const sendEvery = 2000;
/** Milliseconds after which a marker that the server could not take is sent again, if it is not asked to wait longer. */
const again = 5000;

export class ReadMarkers {
  #api;
  #unread;
  #unsubscribe;
  #markers = new Map();
  #isStopped = false;
  #onHide = () => { if (document.hidden) this.flush(); };

  constructor(api, model) {
    this.#api = api;
    this.#unread = model.unread;
    this.#unsubscribe = model.on('connection', () => { if (model.connection.state === 'live') this.#sendUnsent(); });
    document.addEventListener('visibilitychange', this.#onHide);
  }

  /** Notes that the reader has seen a message, which may be the last one. Sent at most every two seconds for each channel. */
  read(id, message, isLast) {
    const marker = this.#markers.get(id) ?? { position: 0, sentAt: 0 };
    if (message.position <= marker.position || this.#unread.of(id).unread === 0) return;
    Object.assign(marker, { position: message.position, eventId: message.eventId });
    this.#markers.set(id, marker);
    if (isLast) this.#unread.set({ channelId: id, eventId: message.eventId, unread: 0, mentions: 0 });
    if (marker.timer !== undefined) return;
    marker.timer = setTimeout(() => this.#send(id), Math.max(0, marker.sentAt + sendEvery - Date.now()));
  }

  /** Sets the marker to just before a message. */
  async setUnread(id, eventId) {
    clearTimeout(this.#markers.get(id)?.timer);
    this.#markers.delete(id);
    await this.#api.post('/api/read', { channelId: id, eventId, unread: true });
    this.#unread.refresh();
  }

  /** Sends the markers that wait; the page may be about to close. */
  flush() {
    for (const [id, marker] of this.#markers) if (marker.timer !== undefined) this.#send(id, true);
  }

  stop() {
    this.#isStopped = true;
    this.flush();
    this.#unsubscribe();
    document.removeEventListener('visibilitychange', this.#onHide);
  }

  #sendUnsent() {
    for (const [id, marker] of this.#markers) if (marker.isUnsent) this.#send(id);
  }

  async #send(id, keepalive = false) {
    const marker = this.#markers.get(id);
    clearTimeout(marker.timer);
    marker.timer = undefined;
    marker.sentAt = Date.now();
    try {
      await this.#api.post('/api/read', { channelId: id, eventId: marker.eventId }, { keepalive });
      marker.isUnsent = false;
      if (!keepalive) this.#unread.refresh();
    } catch (error) {
      // What is on the screen is not seen again: it is sent later, or when the server is back.
      marker.isUnsent = error.isTemporary === true;
      marker.position = 0;
      if (!marker.isUnsent || this.#isStopped || this.#markers.get(id) !== marker) return;
      marker.timer ??= setTimeout(() => this.#send(id), Math.max(again, error.retryAfter * 1000 || 0));
    }
  }
}
