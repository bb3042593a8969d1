// @ts-check
/** Plays the host's side of the protocol, for tests of plugins. */
import assert from 'node:assert/strict';
import {spawn} from 'node:child_process';
import {PassThrough} from 'node:stream';
import {readLines} from './pipes.js';
import {Plugin} from './plugin.js';

/**
 * A host of one plugin: a plugin object in this process, or a program.
 *
 *     const host = new Host(plugin, {config: {word: 'heck'}});
 *     await host.start();
 *     assert.equal((await host.event({message: 'hello'})).kind, 'ack');
 *     assert.equal(await host.drain(), 0);
 *
 * Every command is answered as stored, unless `onCommand` returns [code, message] to refuse it with.
 */
export class Host {
  /** All lines of the plugin. @type {any[]} */
  lines = [];
  /** The commands so far. @type {any[]} */
  commands = [];
  /** The states stored last, by queue. @type {Record<string, any>} */
  states;
  /** @type {Map<number, any>} */
  settled = new Map();
  /** Deliveries that are out, with their queues. @type {Map<number, string>} */
  sent = new Map();
  /** Lines that are no messages; the real host logs them. @type {string[]} */
  strays = [];
  /** The exit status. @type {Promise<number>} */
  status;
  #delivery = 0;
  #seen = 0;
  /** @type {() => void} */
  #wake = () => {};
  #hasEnded = false;

  /**
   * @param {Plugin | string[]} plugin a plugin, or the arguments of a program
   * @param {{config?: object, phase?: string, states?: Record<string, any>, dataDir?: string, purpose?: string,
   *   timeout?: number, onCommand?: (message: any) => string[] | undefined, env?: any}} [options]
   */
  constructor(plugin, {config = {}, phase, states = {}, dataDir = '.', purpose = 'live', timeout = 30_000, onCommand,
    env} = {}) {
    this.states = {...states};
    this.timeout = timeout;
    this.onCommand = onCommand;
    let output;
    if (plugin instanceof Plugin) {
      this.input = new PassThrough();
      output = new PassThrough();
      this.status = plugin.run(this.input, output).finally(() => output.end());
    } else {
      const child = spawn(plugin[0], plugin.slice(1), {stdio: ['pipe', 'pipe', 'inherit'], env: env ?? process.env});
      child.stdin.on('error', () => {});
      this.input = child.stdin;
      output = child.stdout;
      this.status = new Promise((resolve) => child.on('exit', (code) => resolve(code ?? -1)));
    }
    this.status.catch(() => {});
    const ended = () => { this.#hasEnded = true; this.#wake(); };
    readLines(output, (lines) => {
      for (const line of lines) {
        if (line.startsWith('{')) this.#note(JSON.parse(line));
        else this.strays.push(line);
      }
    }, ended);
    this.phase = phase ?? (plugin instanceof Plugin && plugin.examples.some(({kind}) => kind === 'check')
      ? 'command' : 'event');
    this.tell({type: 'hello', protocol: 1, plugin: plugin['name'] ?? 'plugin', phase: this.phase, purpose,
      session: 'test', config, limits: {line: 1 << 20, commandsInFlight: 1024}, dataDir});
  }

  /** Writes a line to the plugin. @param {any} message */
  tell(message) { this.input.write(JSON.stringify(message) + '\n'); }

  /** Waits for a line of one of these types. @param {...string} types @returns {Promise<any>} */
  async hear(...types) {
    let timer;
    const late = new Promise((resolve) => { timer = setTimeout(resolve, this.timeout, true); });
    try {
      for (;;) {
        while (this.#seen < this.lines.length) {
          const message = this.lines[this.#seen];
          this.#seen += 1;
          if (types.includes(message.type)) return message;
        }
        const recent = JSON.stringify(this.lines.slice(-3));
        assert(!this.#hasEnded, `the plugin ended; it wrote no ${types}; its last lines: ${recent}`);
        const isLate = await Promise.race([late, new Promise((resolve) => { this.#wake = () => resolve(false); })]);
        assert(!isLate, `the plugin wrote no ${types} within ${this.timeout} ms; its last lines: ${recent}`);
      }
    } finally {
      clearTimeout(timer);
    }
  }

  /** @param {any} message */
  #note(message) {
    this.lines.push(message);
    if (message.type === 'command') {
      this.commands.push(message);
      const refused = this.onCommand?.(message);
      const {id} = message;
      if (refused) this.tell({type: 'result', id, ok: false, error: {code: refused[0], message: refused[1]}});
      else {
        const number = this.commands.length;
        this.tell({type: 'result', id, ok: true, eventId: `c${number}`, position: number, duplicate: false});
      }
    } else if (message.type === 'ack') this.#settle(message);
    else if (message.type === 'state') this.states[message.queue] = message.state;
    else if (message.type === 'retry' || message.type === 'reject') {
      this.settled.set(message.delivery, message);
      this.sent.delete(message.delivery);
    }
    this.#wake();
  }

  /** @param {any} message */
  #settle(message) {
    const {upTo} = message;
    const which = upTo === undefined ? message.deliveries ?? [message.delivery]
      : [...this.sent.keys()].filter((number) => number <= upTo && this.sent.get(number) === this.sent.get(upTo));
    for (const number of which) {
      const queue = this.sent.get(number);
      if (queue === undefined) throw new Error(`delivery ${number} was acknowledged twice, or never sent`);
      this.sent.delete(number);
      this.settled.set(number, message);
      if ('state' in message) this.states[queue] = message.state;
    }
  }

  /** Waits for `ready` and begins. Resolves to `ready`. */
  async start() {
    const ready = await this.hear('ready', 'fatal');
    assert.equal(ready.type, 'ready', `the plugin gave up: ${JSON.stringify(ready)}`);
    const queues = this.phase === 'command' ? [] : ready.queues ?? [{name: 'main'}];
    this.tell({type: 'start', queues: queues.map((/** @type {any} */ {name}) => (
      {name, cursor: null, state: this.states[name] ?? null}))});
    return ready;
  }

  /** Sends an event and does not wait. `fields` are the event's. Returns its delivery's number.
   * @param {Record<string, any>} [fields] @param {{queue?: string, attempt?: number, mode?: string}} [options] */
  deliver(fields = {}, {queue = 'main', attempt = 1, mode = 'live'} = {}) {
    const delivery = this.#delivery += 1;
    this.sent.set(delivery, queue);
    this.tell({type: 'event', queue, delivery, position: delivery, attempt, mode, event: {
      eventId: `e${delivery}`, timestamp: 1796047206825, type: 'MESSAGE_SENT', userId: 'ann', channelId: 'general',
      ...fields}});
    return delivery;
  }

  /** Waits until a delivery is settled. @param {number} delivery */
  async outcome(delivery) {
    while (!this.settled.has(delivery)) await this.hear('ack', 'retry', 'reject');
    const message = this.settled.get(delivery);
    const commands = this.commands.filter(({cause}) => cause === delivery).map(({command}) => command);
    return {kind: message.type, commands, state: message.state, code: message.code, message: message.message};
  }

  /** Sends an event and waits until it is settled. @param {Record<string, any>} [fields] @param {any} [options] */
  event(fields, options) { return this.outcome(this.deliver(fields, options)); }

  /** Asks about a command, `SEND_MESSAGE` by default. Resolves to the verdict. @param {Record<string, any>} command */
  check(command) {
    const id = this.#delivery += 1;
    this.tell({type: 'check', id, deadlineMs: 150, command: {
      type: 'SEND_MESSAGE', eventId: `e${id}`, userId: 'ann', channelId: 'general', ...command}});
    return this.hear('verdict');
  }

  /** Sends a changed configuration. Resolves to `configured`. @param {object} config */
  configure(config) {
    this.tell({type: 'config', id: 1, config});
    return this.hear('configured');
  }

  /** Pings. Resolves to `pong`. */
  ping(n = 1) {
    this.tell({type: 'ping', n});
    return this.hear('pong');
  }

  /** Has the plugin finish. Resolves to its exit status. */
  async drain(deadlineMs = 10_000) {
    this.tell({type: 'drain', deadlineMs, why: 'stop'});
    await this.hear('drained');
    return this.close();
  }

  /** Closes the plugin's standard input. Resolves to its exit status. */
  close() {
    this.input.end();
    return this.status;
  }
}

/** Runs one example of a plugin; rejects if it does not hold.
 * @param {Plugin} plugin @param {{kind: string, type: string, queue?: string, example: any}} entry */
export async function checkExample(plugin, {kind, type, queue = 'main', example}) {
  const host = new Host(plugin, {config: example.config, phase: kind === 'check' ? 'command' : 'event',
    states: example.state === undefined ? {} : {[queue]: example.state}});
  await host.start();
  try {
    const given = {...(type === '*' ? {} : {type}), ...example.given};
    if (kind === 'check') {
      const {allow, code, command} = await host.check(given);
      assert.deepEqual({allow, code, command},
        {allow: example.refused === undefined, code: example.refused, command: example.changes});
      return;
    }
    const outcome = await host.event(given, {queue});
    assert.equal(outcome.kind, example.outcome ?? 'ack');
    if (example.code !== undefined) assert.equal(outcome.code, example.code);
    const expected = example.commands ?? [];
    assert.equal(outcome.commands.length, expected.length, JSON.stringify(outcome.commands));
    expected.forEach((/** @type {any} */ fields, /** @type {number} */ index) => {
      const command = outcome.commands[index];
      assert.deepEqual(Object.fromEntries(Object.keys(fields).map((key) => [key, command[key]])), fields);
    });
    if (example.newState !== undefined) assert.deepEqual(host.states[queue], example.newState);
  } finally {
    await host.close();
  }
}
