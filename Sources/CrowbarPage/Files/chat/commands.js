// Slash commands. A message that begins with a slash is sent with two of them: `//etc/hosts`.

import { channelIdFault, nameFault, topicFault } from '../data/rules.js';
import { announce } from '../lib/announcer.js';
import { folded } from '../data/mentions.js';
import { newEventId } from '../lib/ids.js';

/** The commands, with what completion shows. */
export const commandList = [
  { name: 'me', usage: '/me waves' },
  { name: 'join', usage: '/join channel' },
  { name: 'leave', usage: '/leave' },
  { name: 'topic', usage: '/topic new topic' },
  { name: 'nick', usage: '/nick new name' },
  { name: 'invite', usage: '/invite user' },
  { name: 'remove', usage: '/remove user' },
];

/** `{name, rest}` of a text that is a command, or undefined. */
export function parseCommand(text) {
  const match = /^\/([A-Za-z]+)(?:\s+([\s\S]*))?$/.exec(text);
  return match ? { name: match[1].toLowerCase(), rest: (match[2] ?? '').trim() } : undefined;
}

export class Commands {
  #app;

  constructor(app) { this.#app = app; }

  /** Sends a command; repeats it under the same eventId while the server does not answer. */
  async send(type, channelId, fields = {}) {
    const body = JSON.stringify({ type, channelId, ...fields, eventId: newEventId() });
    for (let attempt = 0; ; attempt += 1) {
      try {
        return await this.#app.api.post('/api/commands', body);
      } catch (error) {
        if (!error.isTemporary || attempt === 3) throw error;
        await new Promise((resolve) => { setTimeout(resolve, (error.retryAfter || 1) * 1000 * (attempt + 1)); });
      }
    }
  }

  /** Runs a slash command in a channel. Throws what is to be shown. */
  async run(channel, { name, rest }) {
    const run = this[`_${name}`];
    if (!run) throw new Error(`There is no command /${name}. To send this text, begin it with two slashes.`);
    await run.call(this, channel, rest);
  }

  async _join(_, rest) {
    const id = rest.replace(/^#/, '').toLowerCase();
    if (channelIdFault(id)) throw new Error(channelIdFault(id));
    await this.join(id);
    this.#app.go(`#/c/${encodeURIComponent(id)}`);
  }

  async join(id) {
    try {
      await this.send('JOIN_CHANNEL', id);
    } catch (error) {
      if (error.code !== 'already_a_member') throw error;
    }
    announce(`Joined ${id}`);
  }

  async _leave(channel) {
    await this.send('LEAVE_CHANNEL', channel);
    announce(`Left ${channel}`);
  }

  async _topic(channel, rest) {
    if (topicFault(rest, this.#app.limits)) throw new Error(topicFault(rest, this.#app.limits));
    await this.send('SET_TOPIC', channel, { topic: rest });
    announce('Topic set');
  }

  async _nick(_, rest) {
    if (nameFault(rest, this.#app.limits)) throw new Error(nameFault(rest, this.#app.limits));
    await this.send('RENAME_USER', undefined, { name: rest });
    announce(`Your name is ${rest} now`);
  }

  async _invite(channel, rest) {
    await this.send('INVITE_USER', channel, { invitee: this.#userOf(channel, rest) });
    announce(`Invited ${rest}`);
  }

  async _remove(channel, rest) {
    await this.send('REMOVE_USER', channel, { member: this.#userOf(channel, rest) });
    announce(`Removed ${rest}`);
  }

  /** The id of a user who is named by id or by the name of one member. */
  #userOf(channel, text) {
    const name = text.replace(/^@/, '').trim();
    if (!name) throw new Error('Name a user.');
    const { state } = this.#app.model;
    if (state.users.has(name)) return name;
    const found = [...state.users].filter(([id, user]) => folded(user.name) === folded(name)
      && (state.members.get(channel)?.has(id) ?? true));
    if (found.length > 1) throw new Error(`Several users are called ${name}. Use the id.`);
    return found[0]?.[0] ?? name;
  }
}
