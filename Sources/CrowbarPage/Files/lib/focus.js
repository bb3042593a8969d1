// Where the focus was, and where it goes when that element is gone: rows are made again while somebody uses them.

const canHaveFocus = 'a[href], button, input, select, textarea, summary, [tabindex]';
const nameOf = (node) => node.getAttribute('aria-label') ?? node.textContent.trim();

/** The element that has the focus now, and what is around it. */
export class FocusPlace {
  #node = document.activeElement;
  #around = [];

  constructor() {
    for (let node = this.#node.parentElement; node; node = node.parentElement) {
      if (node.matches('[tabindex], #main')) this.#around.push(node);
    }
  }

  /**
   * Moves a focus that nothing has any more: to the same element, to one of the same name near it, or to the nearest element around
   * it that can have the focus, at last the screen. A focus that was moved elsewhere on purpose stays.
   */
  restore() {
    if (document.activeElement !== document.body || this.#node === document.body) return;
    if (focusOn(this.#node)) return;
    const name = nameOf(this.#node);
    for (const area of [...this.#around, document.getElementById('main')]) {
      if (!area?.isConnected) continue;
      const same = [...area.querySelectorAll(canHaveFocus)].find((node) => nameOf(node) === name);
      if (focusOn(same) || focusOn(area)) return;
    }
  }
}

function focusOn(node) {
  node?.focus({ preventScroll: true });
  return node !== undefined && document.activeElement === node;
}
