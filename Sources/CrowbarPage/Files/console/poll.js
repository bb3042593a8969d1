// Asks again, every two seconds if nothing else is said, while the page is visible.

export class Poll {
  #timer;
  #tag;
  #isStopped = false;

  /** `path` is an address or a function that gives one. `show(data)` gets each answer that is different. */
  constructor(api, path, show, failed, every = 2000) {
    this.every = every;
    this.api = api;
    this.path = path;
    this.show = show;
    this.failed = failed;
    this.onVisible = () => { if (!document.hidden) this.now(); };
    document.addEventListener('visibilitychange', this.onVisible);
    this.now();
  }

  /** Asks now. */
  async now() {
    clearTimeout(this.#timer);
    if (this.#isStopped || document.hidden) return;
    try {
      const path = typeof this.path === 'function' ? this.path() : this.path;
      const { status, data, headers } = await this.api.get(path, { headers: this.#tag ? { 'If-None-Match': this.#tag } : {} });
      if (this.#isStopped) return;
      this.#tag = headers.get('ETag') ?? undefined;
      if (status !== 304) this.show(data);
    } catch (error) {
      if (!this.#isStopped) this.failed(error);
      // What is forbidden stays so.
      if (error.status === 403 || error.status === 404) return;
    }
    clearTimeout(this.#timer);
    if (!this.#isStopped) this.#timer = setTimeout(() => this.now(), this.every);
  }

  stop() {
    this.#isStopped = true;
    clearTimeout(this.#timer);
    document.removeEventListener('visibilitychange', this.onVisible);
  }
}

/** Whether two answers say the same. */
export const sameJson = (a, b) => JSON.stringify(a) === JSON.stringify(b);
