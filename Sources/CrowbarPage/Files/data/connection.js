// Keeps one stream open: reconnects with growing waits, goes on behind the last event.
// Status: {state: 'connecting' | 'live' | 'offline', since?, retryAt?, reason?}.

import { parsed } from './api.js';
import { readStream } from './stream.js';

const firstWait = 1000;
const longestWait = 30000;
/** Events behind the head beyond which the views are read again in place of the events. */
const tooFarBehind = 2000;
/** Milliseconds for which views that were just read are not read again: they are behind the log themselves. */
const freshFor = 30000;

export class Connection {
  #api;
  #on;
  #abort;
  #wake;
  #failures = 0;
  #lostAt;
  #mine = true;
  #begun = Date.now();
  status = { state: 'connecting' };

  /**
   * `on` has: `frame(frame)`, `status(status)`, `open()` after each connection, `stale()` where the views must be
   * read again, `ended(message)` where the token is no longer accepted.
   */
  constructor(api, on) {
    this.#api = api;
    this.#on = on;
    this.retry = this.retry.bind(this);
  }

  /** Connects, and reconnects until `stop`. `position()` gives the id of the last event, or undefined. */
  async run(position) {
    const abort = new AbortController();
    this.#abort = abort;
    addEventListener('online', this.retry);
    while (!abort.signal.aborted) {
      this.#report({ state: this.#lostAt ? 'offline' : 'connecting', since: this.#lostAt });
      try {
        await this.#follow(position, abort);
      } catch (error) {
        if (abort.signal.aborted) break;
        if (await this.#isHandled(error, abort.signal)) continue;
        await this.#wait(error, abort.signal);
      }
    }
    removeEventListener('online', this.retry);
  }

  stop() {
    this.#abort?.abort();
    this.#wake?.();
  }

  /** Ends the wait before the next try. */
  retry() { this.#wake?.(); }

  async #follow(position, abort) {
    const after = position();
    await readStream(this.#api, {
      after, mine: this.#mine && this.#api.token !== undefined, signal: abort.signal,
      onOpen: () => {
        this.#failures = 0;
        this.#lostAt = undefined;
        this.#report({ state: 'live' });
        this.#on.open();
      },
      onFrame: (frame) => {
        const isFresh = Date.now() - this.#begun < freshFor;
        if (frame.event === 'hello' && (parsed(frame.data)?.behind ?? 0) > tooFarBehind && !isFresh) {
          this.#on.stale();
          return;
        }
        this.#on.frame(frame);
      },
    });
  }

  /** What is not a lost connection. */
  async #isHandled(error, signal) {
    if (error.status === 401) {
      this.stop();
      this.#on.ended(error.message);
      return true;
    }
    if (error.code === 'event_not_found') {
      this.stop();
      this.#on.stale();
      return true;
    }
    if (error.code === 'invalid_command' && error.field === 'mine' && this.#mine) {
      // A server that does not know the parameter sends the events of all channels.
      this.#mine = false;
      return !signal.aborted;
    }
    return false;
  }

  async #wait(error, signal) {
    this.#lostAt ??= Date.now();
    const growing = Math.min(longestWait, firstWait * 2 ** this.#failures);
    // Spread, so that all pages do not come back in one moment.
    const wait = Math.max((error.retryAfter ?? 0) * 1000, growing * (0.75 + Math.random() / 2));
    this.#failures += 1;
    this.#report({ state: 'offline', since: this.#lostAt, retryAt: Date.now() + wait, reason: error.message });
    await new Promise((resolve) => {
      const timer = setTimeout(resolve, wait);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
      if (signal.aborted) this.#wake();
    });
    this.#wake = undefined;
  }

  #report(status) {
    this.status = status;
    this.#on.status(status);
  }
}
