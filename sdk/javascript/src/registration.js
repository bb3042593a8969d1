// @ts-check
/** What a plugin handles: the part that a program says before it runs. */

/**
 * @typedef {import('./values.js').Event} Event
 * @typedef {import('./config.js').Config} Config
 * @typedef {{type: string, [field: string]: any}} Message
 * @typedef {{name: string, types?: string[], channels?: string[], window?: number, order?: string, start?: string,
 *   maxAttempts?: number, writes?: string[]}} Queue
 * @typedef {{eventId: string, position: number, duplicate: boolean}} Result
 * @typedef {{given: Record<string, any>, commands?: object[], outcome?: string, code?: string, state?: any,
 *   newState?: any, changes?: object, refused?: string, config?: object}} Example
 */

/** The handlers and queues of a plugin. Use `Plugin`. */
export class Registration {
  /** What `configure` returned last. @type {any} */
  settings;
  /** The plugin's own folder, once `hello` has come. */
  dataDir = '';
  /** @type {{kind: string, type: string, queue?: string, example: Example}[]} */
  examples = [];
  /** @type {Map<string, {queue?: string, handler: (event: Event) => any}[]>} */
  _handlers = new Map();
  /** Those that match, by type and queue. @type {Map<string, ((event: Event) => any)[]>} */
  _found = new Map();
  /** @type {Map<string, (command: any) => any>} */
  _checks = new Map();
  /** @type {Map<string, (queue?: string) => any>} */
  _asks = new Map();
  /** @type {Queue[]} */
  _queues = [];
  /** Those that no configuration declared; each configuration adds its own. @type {Queue[]} */
  _fixedQueues = [];
  _configuring = false;
  /** @type {((config: Config) => any) | undefined} */
  _configure;
  /** @type {(() => any)[]} */
  _starting = [];
  /** @type {(() => any)[]} */
  _stopping = [];

  /**
   * @param {string} name
   * @param {string} [version]
   * @param {{state?: any, pipelined?: boolean, user?: string, concurrency?: number}} [options] `state` is the
   *   first state of a queue, as `{}`; `user` is who commands act as, NAME/bot without it; `concurrency` is how many
   *   events are handled at once
   */
  constructor(name, version = '0', {state, pipelined = false, user, concurrency = 64} = {}) {
    Object.assign(this, {name, version, user: user ?? `${name}/bot`, hasUser: user !== undefined, pipelined,
      concurrency, initialState: state});
  }

  /**
   * Handles events of a type (`'*'`: all). The event is acknowledged when its handlers have finished.
   * @param {string | string[]} types @param {(event: Event) => any} handler
   * @param {{queue?: string, examples?: Example[]}} [options]
   */
  on(types, handler, {queue, examples = []} = {}) {
    this._found.clear();
    for (const type of [types].flat()) {
      this._handlers.set(type, [...this._handlers.get(type) ?? [], {queue, handler}]);
    }
    this.examples.push(...examples.map((example) => ({kind: 'event', type: [types].flat()[0], queue, example})));
    return this;
  }

  /**
   * Decides about commands before they are stored. Return nothing to allow, an object of changed fields, or throw
   * `Refuse`.
   * @param {string | string[]} types @param {(command: any) => any} handler @param {{examples?: Example[]}} [options]
   */
  check(types, handler, {examples = []} = {}) {
    for (const type of [types].flat()) this._checks.set(type, handler);
    this.examples.push(...examples.map((example) => ({kind: 'check', type: [types].flat()[0], example})));
    return this;
  }

  /** Answers a question of the operator. @param {string} word @param {(queue?: string) => any} handler */
  ask(word, handler) {
    this._asks.set(word, handler);
    return this;
  }

  /** Reads the configuration; what it returns becomes `settings`. It also takes a changed one while the plugin runs.
   * @param {(config: Config) => any} handler */
  configure(handler) {
    this._configure = handler;
    return this;
  }

  /** Runs once at `start`, before the first event. Open connections here, not earlier. @param {() => any} handler */
  starting(handler) {
    this._starting.push(handler);
    return this;
  }

  /** Runs before the plugin ends. @param {() => any} handler */
  stopping(handler) {
    this._stopping.push(handler);
    return this;
  }

  /** Declares a queue, before `run` or in `configure`; without any there is one, `main`. A queue that an earlier
   * configuration declared and the new one does not ends.
   * @param {string} name @param {Omit<Queue, 'name'>} [options] */
  queue(name, options = {}) {
    /** @param {Queue[]} queues */
    const added = (queues) => [...queues.filter((queue) => queue.name !== name), {name, ...options}];
    this._queues = added(this._queues);
    if (!this._configuring) this._fixedQueues = added(this._fixedQueues);
    return this;
  }

  /** The handlers of an event, in the order of their registration. @param {Event} event */
  matching(event) {
    const key = `${event.type} ${event.queue}`;
    let found = this._found.get(key);
    if (!found) {
      found = [...this._handlers.get(event.type) ?? [], ...this._handlers.get('*') ?? []]
        .filter(({queue}) => queue === undefined || queue === event.queue).map(({handler}) => handler);
      this._found.set(key, found);
    }
    return found;
  }
}
