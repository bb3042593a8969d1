// @ts-check
/** What handlers throw, and what commands become. */

/** Throw it in an event handler: the event comes again later. */
export class Retry extends Error {
  /**
   * @param {string} code
   * @param {string} [message]
   * @param {{after?: number, counted?: boolean}} [options] `after` in seconds, the host's backoff without it;
   *   `counted: false` uses up no attempt, for a target that is down.
   */
  constructor(code, message = '', {after, counted = true} = {}) {
    super(message);
    Object.assign(this, {name: 'Retry', code, after, counted});
  }
}

/** Throw it in an event handler: the event will never succeed. It becomes a dead letter, or is dropped. */
export class Reject extends Error {
  /** @param {string} code @param {string} [message] @param {{deadLetter?: boolean}} [options] */
  constructor(code, message = '', {deadLetter = true} = {}) {
    super(message);
    Object.assign(this, {name: 'Reject', code, deadLetter});
  }
}

/** Throw it in a check: the command is refused, and its sender sees the message. */
export class Refuse extends Error {
  /** @param {string} code @param {string} message */
  constructor(code, message) {
    super(message);
    Object.assign(this, {name: 'Refuse', code});
  }
}

/** A command was refused; `code` is one of the API's, or `replay` or `loop`. */
export class Refused extends Error {
  /** @param {string} code @param {string} message */
  constructor(code, message) {
    super(message);
    Object.assign(this, {name: 'Refused', code});
  }
}

/** The host closed standard input while something waited for its answer. The event is delivered again. */
export class HostClosed extends Error {}

/** A mistake in the configuration: the path of the key, as `lists[0].size`, and what is wrong with it. */
export class ConfigError extends Error {
  /** @param {string} path @param {string} message */
  constructor(path, message) {
    super(message);
    Object.assign(this, {name: 'ConfigError', path});
  }
}

/** An event and its delivery. `body` is the event as the log has it (docs/domain.md). */
export class Event {
  /** @param {any} message @param {any} plugin */
  constructor(message, plugin) {
    this.body = message.event;
    /** @type {string} */ this.queue = message.queue;
    /** @type {number} */ this.delivery = message.delivery;
    /** @type {number} */ this.position = message.position;
    /** @type {number} */ this.attempt = message.attempt;
    /** @type {number} */ this.uncounted = message.uncounted ?? 0;
    /** @type {string} */ this.mode = message.mode;
    this.plugin = plugin;
  }

  /** The event's type, as MESSAGE_SENT. @returns {string} */
  get type() { return this.body.type; }

  /** The event's id: the same at each delivery, so build keys of it. @returns {string} */
  get id() { return this.body.eventId; }

  /** The text of a message, or ''. @returns {string} */
  get message() { return this.body.message ?? ''; }

  /** @returns {string | undefined} */
  get channelId() { return this.body.channelId; }

  /** @returns {string} */
  get userId() { return this.body.userId; }

  /** The unit of order: the queue's channel, or its user for an event without one. */
  get lane() {
    const {channelId, userId} = this.body;
    return channelId ? `${this.queue}#${channelId}` : `${this.queue}@${userId}`;
  }

  /**
   * Emits a command with this event as its cause, and resolves to its result. Rejects with `Refused`.
   * @param {string} type @param {Record<string, unknown>} [fields] those of docs/domain.md; `userId` is `plugin.user`
   *   unless given
   * @param {{key?: string, ref?: string}} [options] `key` names the command for ever: after a crash the same one is not
   *   stored twice
   * @returns {Promise<{eventId: string, position: number, duplicate: boolean}>}
   */
  command(type, fields, options) { return this.plugin.command(type, fields, {...options, cause: this}); }

  /** Registers `plugin.user` and has it join a channel, where it has not already. @param {string} channel */
  async join(channel, name = this.plugin.name) {
    const steps = [['REGISTER_USER', {name}, 'user_exists'],
      ['JOIN_CHANNEL', {channelId: channel}, 'already_a_member']];
    for (const [type, fields, done] of /** @type {any} */ (steps)) {
      try {
        await this.command(type, fields, {key: `${this.id}/${type}/${channel}`});
      } catch (error) {
        if (!(error instanceof Refused) || ![done, 'event_id_conflict'].includes(error['code'])) throw error;
      }
    }
  }

  /** The durable state of this event's queue. It is stored together with the settlement. */
  get state() { return this.plugin.stateOf(this.queue); }

  set state(value) { this.plugin.setState(this.queue, value); }

  /** Tells the host that this event needs so much longer (an hour at most). @param {number} seconds */
  working(seconds) { this.plugin.send({type: 'working', delivery: this.delivery, ms: Math.round(seconds * 1000)}); }
}
