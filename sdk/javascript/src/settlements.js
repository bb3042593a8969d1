// @ts-check
/** Which deliveries are open, which acknowledgements wait, which lanes are held, and the states. Pure values. */
import {encodeState} from './wire.js';

/** Joins acknowledgements, so that many deliveries of a queue are settled by one line. */
export class Settlements {
  /** By queue; a set is in order of arrival, which is the order of the numbers. @type {Map<string, Set<number>>} */
  #open = new Map();
  /** @type {Map<string, {deliveries: number[], state?: string}>} */
  #acked = new Map();
  /** How many acknowledgements wait. */
  waiting = 0;

  /** @param {string} queue @param {number} delivery */
  opened(queue, delivery) {
    const open = this.#open.get(queue);
    if (open) open.add(delivery);
    else this.#open.set(queue, new Set([delivery]));
  }

  /** The handler has succeeded. @param {string} queue @param {number} delivery @param {string} [state] as JSON */
  acked(queue, delivery, state) {
    this.closed(queue, delivery);
    let acked = this.#acked.get(queue);
    if (!acked) this.#acked.set(queue, acked = {deliveries: []});
    acked.deliveries.push(delivery);
    if (state !== undefined) acked.state = state;
    this.waiting += 1;
  }

  /** It needs no acknowledgement: retried, rejected or void. @param {string} queue @param {number} delivery */
  closed(queue, delivery) { this.#open.get(queue)?.delete(delivery); }

  /** Deliveries are void, that were skipped after a retry. @param {{queue: string, delivery: number}[]} skipped */
  voided(skipped) { for (const {queue, delivery} of skipped) this.closed(queue, delivery); }

  /** The lines that settle all that waits, one a queue; afterwards nothing waits. */
  take() {
    let lines = '';
    for (const [queue, {deliveries, state}] of this.#acked) {
      let which = `"delivery":${deliveries[0]}`;
      if (deliveries.length > 1) {
        let last = 0;
        for (const delivery of deliveries) if (delivery > last) last = delivery;
        const first = this.#open.get(queue)?.values().next().value ?? Infinity;
        // 'upTo' settles all below, so nothing below may still be open.
        which = first > last ? `"upTo":${last}` : `"deliveries":[${deliveries}]`;
      }
      lines += `{"type":"ack",${which}${state === undefined ? '' : `,"state":${state}`}}\n`;
    }
    this.#acked.clear();
    this.waiting = 0;
    return lines;
  }
}

/** The lanes of a pipelined plugin that wait for `voided` after a retry. */
export class HeldLanes {
  /** @type {Map<string, {held: number, skipped: {queue: string, delivery: number}[]}>} */
  #lanes = new Map();

  /** @param {string} lane @param {number} delivery */
  hold(lane, delivery) { if (!this.#lanes.has(lane)) this.#lanes.set(lane, {held: delivery, skipped: []}); }

  /** Whether the event's lane waits, so that the event, which will be void, is not handled.
   * @param {{lane: string, queue: string, delivery: number}} event */
  skips({lane, queue, delivery}) {
    const entry = this.#lanes.get(lane);
    entry?.skipped.push({queue, delivery});
    return entry !== undefined;
  }

  /** `voided` came for the delivery that was retried. Returns its lane, and what was skipped.
   * @param {number} delivery */
  release(delivery) {
    for (const [lane, {held, skipped}] of this.#lanes) {
      if (held !== delivery) continue;
      this.#lanes.delete(lane);
      return {lane, skipped};
    }
    return {lane: undefined, skipped: []};
  }
}

/** The states of the queues: what handlers change, and what was last handed to the host. */
export class States {
  /** @type {Map<string, any>} */
  #values = new Map();
  /** @type {Map<string, string>} */
  #stored = new Map();
  #initial;

  /** @param {unknown} initial */
  constructor(initial) { this.#initial = JSON.stringify(initial); }

  /** The host says what was stored last; null stands for nothing. @param {string} queue @param {unknown} state */
  start(queue, state) {
    this.#stored.set(queue, state === null || state === undefined ? this.#initial : JSON.stringify(state));
    this.rollBack(queue);
  }

  /** @param {string} queue */
  value(queue) {
    if (!this.#values.has(queue)) this.start(queue, null);
    return this.#values.get(queue);
  }

  /** @param {string} queue @param {unknown} value */
  set(queue, value) {
    this.value(queue);
    this.#values.set(queue, value);
  }

  /** The state as JSON if it has changed. @param {string} queue */
  commit(queue) {
    const text = encodeState(queue, this.value(queue));
    if (text === this.#stored.get(queue)) return undefined;
    this.#stored.set(queue, text);
    return text;
  }

  /** Forgets what a handler that failed has changed. @param {string} queue */
  rollBack(queue) { this.#values.set(queue, JSON.parse(this.#stored.get(queue) ?? this.#initial)); }
}
