// Tells listeners that something changed. Several changes of one topic in a row are told once.

export class Emitter {
  #listeners = new Map();
  #pending = new Set();

  /** Calls `listener` after changes of a topic. Gives the function that ends this. */
  on(topic, listener) {
    if (!this.#listeners.has(topic)) this.#listeners.set(topic, new Set());
    this.#listeners.get(topic).add(listener);
    return () => this.#listeners.get(topic)?.delete(listener);
  }

  /** Notes a change. Listeners are called once the current work is done. */
  changed(topic) {
    if (this.#pending.size === 0) queueMicrotask(() => this.#flush());
    this.#pending.add(topic);
  }

  /** Calls the listeners of a topic at once, with a value. */
  tell(topic, value) {
    for (const listener of [...this.#listeners.get(topic) ?? []]) listener(value);
  }

  #flush() {
    const topics = [...this.#pending];
    this.#pending.clear();
    for (const topic of topics) this.tell(topic);
  }
}

/** Collects functions that end things, so that a screen can be left. */
export class Endings {
  #ends = [];
  add(...ends) { this.#ends.push(...ends); }
  run() { for (const end of this.#ends.splice(0)) end(); }
}
