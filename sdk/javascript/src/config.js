// @ts-check
/** Reads a plugin's `[config]`, noting each mistake with its path. No I/O. */
import {ConfigError} from './values.js';

/** One table of the configuration. Readers note a mistake instead of throwing, so that all are shown at once. */
export class Config {
  #table;
  #path;
  #read = new Set();
  /** @type {Config[]} */
  #tables = [];
  /** @type {ConfigError[]} */
  problems;

  /** @param {Record<string, any>} table @param {string} [path] @param {ConfigError[]} [problems] */
  constructor(table, path = '', problems = []) {
    this.#table = table;
    this.#path = path;
    this.problems = problems;
  }

  /** The whole path of a key. @param {string} key */
  path(key) { return this.#path ? `${this.#path}.${key}` : key; }

  /** Notes a mistake. @param {string} key @param {string} message */
  problem(key, message) { this.problems.push(new ConfigError(this.path(key), message)); }

  /** The value as it is. @param {string} key */
  raw(key) {
    this.#read.add(key);
    return Object.hasOwn(this.#table, key) ? this.#table[key] : undefined;
  }

  /** @param {string} key @param {(value: any) => boolean} isValid @param {any} otherwise @param {string} words */
  #value(key, isValid, otherwise, words) {
    const value = this.raw(key);
    if (value === undefined) {
      if (otherwise === undefined) this.problem(key, `is missing; ${words}`);
      return otherwise;
    }
    if (isValid(value)) return value;
    this.problem(key, words);
    return otherwise;
  }

  /** A text that is not empty; required without a default. @param {string} key @param {string} [otherwise]
   * @param {{choices?: string[]}} [options] @returns {string} */
  text(key, otherwise, {choices} = {}) {
    const words = choices ? `must be one of ${choices.map((each) => `'${each}'`).join(', ')}`
      : 'must be a text that is not empty';
    const isValid = (/** @type {any} */ value) => (
      typeof value === 'string' && value !== '' && (!choices || choices.includes(value)));
    return this.#value(key, isValid, otherwise, words) ?? '';
  }

  /** A whole number within limits; required without a default. @param {string} key @param {number} [otherwise]
   * @param {{minimum?: number, maximum?: number}} [options] @returns {number} */
  integer(key, otherwise, {minimum = -Infinity, maximum = Infinity} = {}) {
    const words = 'must be a whole number' + (minimum > -Infinity ? `, at least ${minimum}` : '')
      + (maximum < Infinity ? `, at most ${maximum}` : '');
    return this.#value(key, (value) => Number.isSafeInteger(value) && value >= minimum && value <= maximum,
      otherwise, words) ?? 0;
  }

  /** `true` or `false`; required without a default. @param {string} key @param {boolean} [otherwise] */
  flag(key, otherwise) {
    return this.#value(key, (value) => typeof value === 'boolean', otherwise, 'must be true or false') ?? false;
  }

  /** A list of texts; required without a default. @param {string} key @param {string[]} [otherwise]
   * @returns {string[]} */
  texts(key, otherwise) {
    const values = this.#value(key, Array.isArray, otherwise, 'must be a list of texts') ?? [];
    if (values.length === 0 && otherwise === undefined && Array.isArray(this.raw(key))) {
      this.problem(key, 'must have at least one text');
    }
    values.forEach((/** @type {any} */ value, /** @type {number} */ index) => {
      if (typeof value !== 'string' || !value) this.problem(`${key}[${index}]`, 'must be a text that is not empty');
    });
    return values.filter((/** @type {any} */ value) => typeof value === 'string');
  }

  /** A table inside this one. @param {string} key @param {boolean} [required] */
  table(key, required = false) {
    const isTable = (/** @type {any} */ value) => typeof value === 'object' && value !== null && !Array.isArray(value);
    const value = this.#value(key, isTable, required ? undefined : {}, 'must be a table') ?? {};
    const table = new Config(value, this.path(key), this.problems);
    this.#tables.push(table);
    return table;
  }

  /** A list of tables. @param {string} key @param {boolean} [required] */
  tables(key, required = false) {
    const values = this.#value(key, Array.isArray, required ? undefined : [], 'must be a list of tables') ?? [];
    const tables = values.map((/** @type {any} */ value, /** @type {number} */ index) => {
      const isTable = typeof value === 'object' && value !== null && !Array.isArray(value);
      if (!isTable) this.problem(`${key}[${index}]`, 'must be a table');
      return new Config(isTable ? value : {}, this.path(`${key}[${index}]`), this.problems);
    });
    this.#tables.push(...tables);
    return /** @type {Config[]} */ (tables);
  }

  /** All mistakes, the keys that nobody read among them. */
  close() {
    const known = [...this.#read].map((name) => `'${name}'`).join(', ');
    for (const key of Object.keys(this.#table)) {
      if (this.#read.has(key)) continue;
      this.problem(key, known ? `is not a key of this plugin; it knows ${known}` : 'is not known here');
    }
    for (const table of this.#tables) table.close();
    return this.problems;
  }
}
