// @ts-check
/** Registers handlers and speaks the protocol. */
import {Config} from './config.js';
import {protocolOutput, readLines} from './pipes.js';
import {Registration} from './registration.js';
import {configuredMessage, failureMessage, newRun, phaseProblem} from './run.js';
import {ConfigError, Event, HostClosed, Refuse, Refused, Reject, Retry} from './values.js';
import {cut, encodeLine, EXIT_CONFIGURATION, LimitError, PROTOCOL} from './wire.js';

/** How many acknowledgements are joined at most. */
const JOINED = 256;

/**
 * @typedef {{type: string, [field: string]: any}} Message
 * @typedef {{eventId: string, position: number, duplicate: boolean}} Result
 */

/** A plugin. Events of one lane (a queue's channel) are handled in order, lanes at the same time; with a state, a queue
 * is one lane. */
export class Plugin extends Registration {
  /** @type {ReturnType<typeof newRun>} */
  #run = newRun(undefined);

  /** Shows the operator `ok`, `degraded` or `down`. @param {'ok' | 'degraded' | 'down'} level @param {string} message
   * @param {object} [details] */
  status(level, message = '', details) { this.send({type: 'status', level, message: cut(message, 1024), details}); }

  /** Writes to the host's log. @param {string} level @param {string} message @param {object} [fields] */
  log(level, message, fields) { this.send({type: 'log', level, message: cut(message, 8192), fields}); }

  /** How many unsettled events a queue wants; 0 holds it. @param {number} events @param {string} [queue] */
  window(events, queue = 'main') { this.send({type: 'window', queue, events}); }

  /** A queue's durable state. @param {string} [queue] */
  stateOf(queue = 'main') {
    if (this['initialState'] === undefined) throw new TypeError('give the plugin a first state, as {state: {}}');
    return this.#run.states.value(queue);
  }

  /** Replaces a queue's state. @param {string} queue @param {any} value */
  setState(queue, value) {
    this.stateOf(queue);
    this.#run.states.set(queue, value);
  }

  /**
   * Emits a command and resolves to its result. Rejects with `Refused`. In a handler use `event.command`.
   * @param {string} type @param {Record<string, unknown>} [fields]
   * @param {{key?: string, ref?: string, cause?: Event}} [options]
   * @returns {Promise<Result>}
   */
  async command(type, fields = {}, {key, ref, cause} = {}) {
    const run = this.#run;
    if (!run.started) throw new Error("no command before 'start': emit it in a handler or in starting()");
    if (run.ended) throw new HostClosed('the host is gone');
    for (const [name, value] of [['key', key], ['ref', ref]]) {
      if (value !== undefined && Buffer.byteLength(String(value)) > 1024) {
        throw new LimitError(`the ${name} of a command has at most 1024 bytes; use a hash of it`);
      }
    }
    const id = String(run.lastId += 1);
    const command = {type, userId: this['user'], ...fields};
    const line = encodeLine({type: 'command', id, command, cause: cause?.delivery, key, ref});
    return new Promise((resolve, reject) => {
      run.commands.set(id, {resolve, reject});
      run.output?.write(line);
    });
  }

  /** Writes a message. @param {Message} message */
  send(message) {
    if (!this.#run.output) throw new Error('the plugin does not run: call this in a handler');
    this.#run.output.write(encodeLine(message));
  }

  /** Runs the plugin and ends the process. The last line of a program. */
  async main() {
    const output = protocolOutput();
    try {
      const status = await this.run(process.stdin, output);
      output.end(() => process.exit(status));
    } catch (error) {
      process.stderr.write(`${error.stack ?? error}\n`);
      output.end(() => process.exit(1));
    }
  }

  /** Runs until the host ends it. Resolves to the exit status. @param {any} input @param {any} output
   * @returns {Promise<number>} */
  run(input, output) {
    const run = this.#run = newRun(this['initialState']);
    run.output = output;
    return new Promise((resolve, reject) => {
      run.finish = resolve;
      const guarded = (/** @type {() => any} */ work) => { try { work(); } catch (error) { reject(error); } };
      readLines(input, (lines) => guarded(() => this.#lines(lines, reject)), () => this.#closed().catch(reject));
    });
  }

  /** @param {string[]} lines @param {(error: Error) => void} fail */
  #lines(lines, fail) {
    const run = this.#run;
    for (const line of lines) {
      if (line === '') continue;
      const message = JSON.parse(line);
      if (message.type === 'event' && !run.paused) this.#arrived(new Event(message, this));
      else if (!this.#answered(message)) {
        run.pending.push(message);
        if (!run.paused) this.#pump(fail);
      }
    }
  }

  /** Handles what has to wait for its turn. @param {(error: Error) => void} fail */
  async #pump(fail) {
    const run = this.#run;
    run.paused = true;
    try {
      for (let message; (message = run.pending.shift());) {
        if (message.type === 'event') this.#arrived(new Event(message, this));
        else {
          const done = this.#inTurn(message);
          if (done) await done;
        }
      }
    } catch (error) {
      fail(error);
    }
    run.paused = false;
  }

  /** Pings, results and errors, whatever handlers do. @param {Message} message */
  #answered(message) {
    if (message.type === 'ping') this.send({type: 'pong', n: message.n});
    else if (message.type === 'result') {
      const waiting = this.#decided(message.id);
      if (message.ok) {
        waiting?.resolve({eventId: message.eventId, position: message.position, duplicate: message.duplicate ?? false});
      } else waiting?.reject(new Refused(message.error.code, message.error.message));
    } else if (message.type === 'error') {
      process.stderr.write(`crowbar-plugin: the host rejected '${message.message}': ${message.reason}\n`);
      // Answers and verdicts have ids too, of the host's own numbering.
      if (message.message === 'command') {
        this.#decided(message.id)?.reject(new Refused('malformed', message.reason));
      }
    } else return false;
    return true;
  }

  /** Who waits for a command, and no longer does. @param {unknown} id */
  #decided(id) {
    const waiting = this.#run.commands.get(String(id));
    this.#run.commands.delete(String(id));
    return waiting;
  }

  /** @param {Message} message @returns {Promise<void> | undefined} */
  #inTurn(message) {
    if (!this.#run.greeted) return this.#greet(message);
    switch (message.type) {
      case 'start': return this.#start(message);
      case 'check': this.#judge(message); break;
      case 'voided': this.#voided(message); break;
      case 'config': this.#reconfigure(message); break;
      case 'ask': this.#answer(message); break;
      case 'drain': return this.#drain(message.deadlineMs / 2);
    }
    return undefined;
  }

  /** @param {Message} message */
  async #greet(message) {
    const run = this.#run;
    if (message.type !== 'hello') {
      throw new Error(`the first line must be 'hello', not '${message.type}'; crowbar starts this program`);
    }
    run.greeted = true;
    this.dataDir = message.dataDir ?? '';
    // The manifest's name decides which users are the plugin's.
    if (!this['hasUser']) this['user'] = `${message.plugin ?? this['name']}/bot`;
    if (message.protocol !== PROTOCOL) {
      return this.#giveUp([['protocol', `the library speaks protocol 1, the host ${message.protocol}`]]);
    }
    const wrong = phaseProblem(message.phase, this._checks.size > 0);
    if (wrong) return this.#giveUp([['phase', wrong]]);
    const problems = this.#mistakes(message.config ?? {});
    if (problems.length) {
      return this.#giveUp(problems.slice(0, 100).map((each) => ['configuration', each.message, each['path']]));
    }
    this.send({
      type: 'ready', protocol: PROTOCOL, name: cut(this['name'], 64), version: cut(this['version'], 64),
      reload: this._configure ? true : undefined, pipelined: this['pipelined'] || undefined,
      queues: this._queues.length ? this._queues : undefined,
      asks: this._asks.size ? [...this._asks.keys()] : undefined,
    });
    if (message.purpose === 'check') run.finish(0);
  }

  /** @param {string[][]} reasons */
  #giveUp(reasons) {
    for (const [code, message, path] of reasons) {
      this.send({type: 'fatal', code, message: cut(message, 1024), path, retry: false});
    }
    this.#run.finish(EXIT_CONFIGURATION);
  }

  /** Reads a configuration; the settings change only if there is no mistake. @param {object} config */
  #mistakes(config) {
    const reader = new Config(config);
    const queues = this._queues;
    this._queues = this._fixedQueues;
    this._configuring = true;
    let settings;
    try {
      settings = this._configure ? this._configure(reader) : config;
    } catch (error) {
      if (!(error instanceof ConfigError)) process.stderr.write(`${error?.stack ?? error}\n`);
      reader.problems.push(error instanceof ConfigError ? error : new ConfigError('', cut(String(error), 1024)));
    } finally {
      this._configuring = false;
    }
    const problems = this._configure ? reader.close() : [];
    if (problems.length) this._queues = queues;
    else this.settings = settings;
    if (this['pipelined']) {
      // With an order of the manifest's the plugin would not know whether 'voided' comes.
      const declared = this._queues.length ? this._queues : [{name: 'main'}];
      this._queues = declared.map((queue) => ({order: 'channel', ...queue}));
    }
    return problems;
  }

  /** @param {Message} message */
  #reconfigure(message) {
    const queues = JSON.stringify(this._queues);
    const problems = this.#mistakes(message.config);
    this.send(configuredMessage(message.id, problems));
    if (JSON.stringify(this._queues) === queues) return;
    this.send({type: 'queues', queues: this._queues.length ? this._queues : [{name: 'main'}]});
  }

  /** @param {Message} message */
  async #start(message) {
    for (const {name, state} of message.queues) this.#run.states.start(name, state);
    if (this.#run.started) return;
    this.#run.started = true;
    for (const hook of this._starting) await hook();
  }

  /** Whether a retry of this event makes later ones of its lane void: in order `channel` alone, and never for a dead
   * letter that is delivered again. @param {Event} event */
  #voids(event) {
    return this['pipelined'] && event.mode !== 'redrive'
      && this._queues.find(({name}) => name === event.queue)?.order === 'channel';
  }

  /** @param {Event} event */
  #lane(event) {
    if (this['initialState'] !== undefined) return event.queue;
    if (this._queues.length && this._queues.find(({name}) => name === event.queue)?.order === 'none') {
      return `${event.queue}/${event.delivery}`;
    }
    return event.lane;
  }

  /** @param {Event} event */
  #arrived(event) {
    const run = this.#run;
    // Where nothing runs no lane is busy: a plain handler has finished when the call returns.
    const lane = run.lanes.size ? this.#lane(event) : undefined;
    const waiting = lane === undefined ? undefined : run.lanes.get(lane);
    if (!waiting && run.running < this['concurrency']) {
      const rest = this.#handle(event);
      if (!rest) return;
      const own = lane ?? this.#lane(event);
      run.settlements.opened(event.queue, event.delivery);
      run.lanes.set(own, []);
      this.#work(own, rest);
      return;
    }
    run.settlements.opened(event.queue, event.delivery);
    if (waiting) waiting.push(event);
    else if (lane !== undefined) {
      run.lanes.set(lane, [event]);
      run.ready.push(lane);
    }
  }

  /** Whether the event is not to be handled: it is void, or too late. @param {Event} event */
  #skips(event) {
    const run = this.#run;
    if (run.ended || (run.drainBy !== Infinity && Date.now() > run.drainBy)) return true;
    if (!this['pipelined'] || !this.#voids(event) || !run.held.skips(event)) return false;
    run.settlements.opened(event.queue, event.delivery);
    return true;
  }

  /** Handles an event. Returns a promise only if a handler did.
   * @param {Event} event @returns {Promise<void> | undefined} */
  #handle(event) {
    if (this.#skips(event)) return undefined;
    try {
      let rest;
      for (const handler of this.matching(event)) {
        if (rest) rest = rest.then(() => handler(event));
        else {
          const value = handler(event);
          if (typeof value?.then === 'function') rest = Promise.resolve(value);
        }
      }
      if (rest) return rest.then(() => this.#succeeded(event)).catch((error) => this.#failed(event, error));
      this.#succeeded(event);
    } catch (error) {
      this.#failed(event, error);
    }
    return undefined;
  }

  /** Goes on with a lane after a handler that takes time. @param {string} lane @param {Promise<void>} [first] */
  async #work(lane, first) {
    const run = this.#run;
    run.running += 1;
    await first;
    const waiting = run.lanes.get(lane) ?? [];
    for (let event; (event = waiting.shift());) await this.#handle(event);
    run.lanes.delete(lane);
    run.running -= 1;
    const next = run.ready.shift();
    if (next !== undefined) this.#work(next);
    else if (run.running === 0) run.idle();
  }

  /** @param {Event} event */
  #succeeded(event) {
    const run = this.#run;
    let state;
    if (this['initialState'] !== undefined) {
      state = run.states.commit(event.queue);
      if (state !== undefined && event.mode === 'redrive') {
        // The host keeps no state of such an acknowledgement. An earlier state must not come behind this one.
        this.#flush(run);
        this.send({type: 'state', queue: event.queue, state: run.states.value(event.queue)});
        state = undefined;
      }
    }
    run.settlements.acked(event.queue, event.delivery, state);
    if (run.settlements.waiting >= JOINED) this.#flush();
    else if (!run.scheduled) {
      run.scheduled = true;
      setImmediate(() => this.#flush(run));
    }
  }

  #flush(run = this.#run) {
    run.scheduled = false;
    if (run.settlements.waiting) run.output?.write(run.settlements.take());
  }

  /** Settles an event whose handler threw. @param {Event} event @param {any} error */
  #failed(event, error) {
    const run = this.#run;
    if (this['initialState'] !== undefined) run.states.rollBack(event.queue);
    if (error instanceof HostClosed) return;
    const {delivery} = event;
    const line = failureMessage(delivery, error);
    run.settlements.closed(event.queue, delivery);
    if (!(error instanceof Reject)) {
      if (!(error instanceof Retry)) process.stderr.write(`${error?.stack ?? error}\n`);
      if (this.#voids(event)) run.held.hold(event.lane, delivery);
    }
    this.send(line);
  }

  /** @param {Message} message */
  #voided(message) {
    const run = this.#run;
    const {lane, skipped} = run.held.release(message.delivery);
    for (const waiting of run.lanes.values()) {
      const isVoid = (/** @type {Event} */ event) => event.lane === lane && event.delivery <= message.through;
      skipped.push(...waiting.filter(isVoid));
      waiting.splice(0, waiting.length, ...waiting.filter((event) => !isVoid(event)));
    }
    run.settlements.voided(skipped);
  }

  /** @param {Message} message */
  async #judge({id, command}) {
    try {
      const changes = await this._checks.get(command.type)?.(command);
      if (changes !== undefined && changes !== true && (typeof changes !== 'object' || changes === null)) {
        throw new TypeError(`a check returns nothing or an object of changed fields, or throws Refuse; not ${changes}`);
      }
      this.send({type: 'verdict', id, allow: true, command: changes === true ? undefined : changes});
    } catch (error) {
      if (error instanceof Refuse) {
        this.send({type: 'verdict', id, allow: false, code: cut(error['code'], 64), message: cut(error.message, 1024)});
      } else process.stderr.write(`${error?.stack ?? error}\n`); // No answer: the manifest's on_failure decides.
    }
  }

  /** @param {Message} message */
  async #answer({id, what, queue}) {
    try {
      const answer = await this._asks.get(what)?.(queue);
      this.send({type: 'answer', id, ok: true, answer: answer ?? null});
    } catch (error) {
      this.send({type: 'answer', id, ok: false, message: cut(String(error?.message ?? error), 1024)});
    }
  }

  /** @param {number} milliseconds */
  async #drain(milliseconds) {
    const run = this.#run;
    run.drainBy = Date.now() + milliseconds;
    if (run.running) {
      await new Promise((resolve) => {
        const timer = setTimeout(resolve, milliseconds);
        run.idle = () => { clearTimeout(timer); resolve(undefined); };
      });
    }
    for (const hook of this._stopping) await hook();
    this.#flush();
    this.send({type: 'drained'});
    run.ended = true;
    run.finish(0);
  }

  async #closed() {
    const run = this.#run;
    if (run.ended) return;
    run.ended = true;
    if (!run.greeted) {
      process.stderr.write("crowbar-plugin: standard input was closed before 'hello'. Crowbar starts this program: "
        + "'crowbar check' tries it. In a test use Host of crowbar-plugin/testing\n");
      run.finish(1);
      return;
    }
    for (const {reject} of run.commands.values()) reject(new HostClosed('the host closed standard input'));
    run.commands.clear();
    for (const hook of this._stopping) await hook();
    this.#flush();
    run.finish(0);
  }
}
