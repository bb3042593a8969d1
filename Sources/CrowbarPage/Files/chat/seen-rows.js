// Which rows were read: at least half visible for a second, with the page visible and focused.

const readAfter = 1000;

export class SeenRows {
  #visible = new Set();
  #timer;
  #onRead;
  #recheck = () => this.#schedule();

  /** Calls `onRead` with the newest row that was read. */
  constructor(list, onRead) {
    this.#onRead = onRead;
    this.observer = new IntersectionObserver((entries) => {
      for (const { target, isIntersecting, intersectionRatio, intersectionRect, rootBounds } of entries) {
        // A row that is higher than the list counts when it fills half of it.
        const fills = rootBounds && intersectionRect.height > rootBounds.height / 2;
        if (isIntersecting && (intersectionRatio >= 0.5 || fills)) this.#visible.add(target);
        else this.#visible.delete(target);
      }
      this.#schedule();
    }, { root: list, threshold: [0, 0.5, 1] });
    document.addEventListener('visibilitychange', this.#recheck);
    addEventListener('focus', this.#recheck);
    addEventListener('blur', this.#recheck);
  }

  observe(row) { this.observer.observe(row); }

  stop() {
    this.observer.disconnect();
    clearTimeout(this.#timer);
    document.removeEventListener('visibilitychange', this.#recheck);
    removeEventListener('focus', this.#recheck);
    removeEventListener('blur', this.#recheck);
  }

  /** One timer at a time: a list that never rests is read too. */
  #schedule() {
    if (document.hidden || !document.hasFocus()) {
      clearTimeout(this.#timer);
      this.#timer = undefined;
      return;
    }
    if (this.#timer !== undefined || this.#visible.size === 0) return;
    const rows = [...this.#visible];
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      const read = rows.filter((row) => this.#visible.has(row) && row.isConnected)
        .sort((a, b) => Number(b.dataset.position) - Number(a.dataset.position))[0];
      if (read) this.#onRead(read);
      if ([...this.#visible].some((row) => !rows.includes(row))) this.#schedule();
    }, readAfter);
  }
}
