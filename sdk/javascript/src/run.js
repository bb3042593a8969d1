// @ts-check
/** What a plugin knows during one run, and the messages that it makes of it. No I/O. */
import {HeldLanes, Settlements, States} from './settlements.js';
import {Reject, Retry} from './values.js';
import {cut} from './wire.js';

/** @typedef {import('./values.js').Event} Event */

/** The start of a run. @param {unknown} initialState */
export function newRun(initialState) {
  return {
    output: /** @type {NodeJS.WritableStream | undefined} */ (undefined),
    settlements: new Settlements(), held: new HeldLanes(), states: new States(initialState ?? null),
    /** @type {Map<string, {resolve: (result: Result) => void, reject: (error: Error) => void}>} */
    commands: new Map(),
    /** @type {Map<string, Event[]>} */
    lanes: new Map(),
    /** @type {string[]} */
    ready: [],
    /** @type {Message[]} */
    pending: [],
    running: 0, lastId: 0, greeted: false, started: false, ended: false, paused: false, scheduled: false,
    drainBy: Infinity, idle: () => {}, /** @type {(status: number) => void} */ finish: () => {},
  };
}

/** The message for an event whose handler threw. @param {number} delivery @param {any} error */
export function failureMessage(delivery, error) {
  if (error instanceof Reject) {
    return {type: 'reject', delivery, code: cut(error['code'], 64), message: cut(error.message, 1024),
      deadLetter: error['deadLetter']};
  }
  const retry = error instanceof Retry ? error : new Retry('exception', String(error));
  const after = retry['after'];
  return {type: 'retry', delivery, code: cut(retry['code'], 64), message: cut(retry.message, 1024),
    counted: retry['counted'], afterMs: after === undefined ? undefined : Math.max(0, Math.round(after * 1000))};
}

/** The answer to `config`. @param {any} id @param {import('./values.js').ConfigError[]} problems */
export function configuredMessage(id, problems) {
  if (!problems.length) return {type: 'configured', id, ok: true};
  const message = problems.length === 1 ? problems[0].message
    : problems.map((each) => (each['path'] ? `${each['path']}: ${each.message}` : each.message)).join('; ');
  return {type: 'configured', id, ok: false, path: problems[0]['path'], message};
}

/** Why a plugin does not fit its manifest's phase, or undefined. @param {string} phase @param {boolean} hasChecks */
export function phaseProblem(phase, hasChecks) {
  if ((phase === 'command') === hasChecks) return undefined;
  const words = hasChecks ? 'has checks: set phase = "command"' : 'has no check(): remove phase = "command"';
  return `the program ${words} in the manifest, or change the program`;
}
