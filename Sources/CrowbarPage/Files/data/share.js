// One stream for all tabs of a browser: browsers allow six connections to an HTTP/1.1 origin. The tab that has the lock
// holds the stream and passes its frames on; another one takes over when that tab closes. Without Web Locks (plain http
// beyond localhost) each tab has a stream of its own and closes it when it was hidden for 30 seconds.

import { Connection } from './connection.js';
import { randomHex } from '../lib/ids.js';

const hiddenAfter = 30000;
const answerWithin = 500;

export class SharedStream {
  #on;
  #connection;
  #channel;
  #abort = new AbortController();
  #leads = false;
  #last;
  #status = { state: 'connecting' };

  /** `on`: see Connection. `name` tells users and servers apart. */
  constructor(api, name, on) {
    this.#on = on;
    this.name = `crowbar.stream.${name}`;
    this.#connection = new Connection(api, {
      frame: (frame) => this.#pass({ frame }),
      status: (status) => this.#pass({ status }),
      open: () => this.#pass({ open: true }),
      stale: () => {
        this.#last = undefined;
        this.#pass({ stale: true });
      },
      ended: (message) => this.#pass({ ended: message ?? '' }),
    });
  }

  /**
   * Begins to listen to the tab that holds the stream. Gives the id of the last event that it has passed on, or
   * undefined if no tab answers: what is loaded now must include that event.
   */
  async listen() {
    if (!navigator.locks || !('BroadcastChannel' in window)) return undefined;
    this.#channel = new BroadcastChannel(this.name);
    const asked = randomHex(8);
    const answer = new Promise((resolve) => {
      this.#channel.onmessage = ({ data }) => {
        if (data.ask && this.#leads) {
          this.#channel.postMessage({ answer: data.ask, last: this.#last, status: this.#status });
        } else if (data.retry && this.#leads) {
          this.#connection.retry();
        } else if (data.answer === asked) {
          this.#receive({ status: data.status });
          resolve(data.last);
        } else if (!data.ask && !data.answer && !data.retry && !this.#leads) {
          this.#receive(data);
        }
      };
    });
    const state = await navigator.locks.query();
    if (!state.held?.some((lock) => lock.name === this.name)) return undefined;
    this.#channel.postMessage({ ask: asked });
    return Promise.race([answer, new Promise((resolve) => { setTimeout(resolve, answerWithin); })]);
  }

  /** Holds the stream, now or when the tab that holds it closes. `after`: the event to go on behind. */
  start(after) {
    this.#last ??= after;
    const { signal } = this.#abort;
    if (!this.#channel) {
      this.#runWhileVisible(signal);
      return;
    }
    navigator.locks.request(this.name, { signal }, async () => {
      this.#leads = true;
      await this.#connection.run(() => this.#last);
    }).catch(() => {});
  }

  stop() {
    this.#abort.abort();
    this.#connection.stop();
    this.#channel?.close();
  }

  retry() {
    this.#connection.retry();
    if (!this.#leads) this.#channel?.postMessage({ retry: true });
  }

  #pass(data) {
    if (this.#abort.signal.aborted) return;
    this.#channel?.postMessage(data);
    this.#receive(data);
  }

  #receive({ frame, status, open, stale, ended }) {
    if (this.#abort.signal.aborted) return;
    if (frame) {
      if (frame.id) this.#last = frame.id;
      this.#on.frame(frame);
    }
    if (status) {
      this.#status = status;
      this.#on.status(status);
    }
    if (open) this.#on.open();
    if (stale) this.#on.stale();
    if (ended !== undefined) this.#on.ended(ended);
  }

  #runWhileVisible(signal) {
    let timer;
    let isRunning = true;
    this.#connection.run(() => this.#last);
    document.addEventListener('visibilitychange', () => {
      clearTimeout(timer);
      if (document.hidden) {
        timer = setTimeout(() => {
          isRunning = false;
          this.#connection.stop();
        }, hiddenAfter);
      } else if (!isRunning) {
        isRunning = true;
        this.#connection.run(() => this.#last);
      }
    }, { signal });
  }
}
