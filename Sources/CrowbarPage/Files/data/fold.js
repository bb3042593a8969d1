// The fold: how an event changes what the page shows. The same rules as the views of the server
// (Sources/CrowbarCore/Views); Tests/PageTests/Vectors checks both against one list of events.

import { AT, forget } from './state.js';
import { NameIndex, mentionsIn } from './mentions.js';

const quoted = 200;
const listedUsers = 20;

/**
 * Applies an entry `{position, event}` of the log. Gives what changed, as a list of topics.
 * What has come as far as the entry skips it, so an entry can be applied again after a part of the state was loaded.
 */
export function fold(state, { position, event }) {
  const changed = new Set();
  const apply = rules[event.type];
  if (!apply) return [];
  apply(state, event, position, changed);
  const { positions } = state;
  const id = event.channelId;
  if (id === undefined) positions.users = Math.max(position, positions.users);
  else positions.channels = Math.max(position, positions.channels);
  if (state.members.has(id)) positions.members.set(id, Math.max(position, positions.members.get(id) ?? 0));
  const window = state.messages.get(id);
  if (window) window.position = Math.max(position, window.position);
  return [...changed];
}

const rules = {
  USER_REGISTERED: named,
  USER_RENAMED: named,

  CHANNEL_CREATED(state, event, position, changed) {
    if (position <= state.positions.channels) return;
    const id = event.channelId;
    const isMember = event.userId === state.me;
    state.channels.set(id, without({
      id, name: event.channelName ?? id, description: event.channelDescription, users: 1,
      private: event.private || undefined, member: isMember || undefined, creator: event.userId,
    }));
    state.members.set(id, new Set([event.userId]));
    state.positions.members.set(id, position);
    state.messages.set(id, { list: [], older: false, newer: false, position });
    changed.add('channels').add(`channel:${id}`);
  },

  CHANNEL_DESTROYED(state, event, position, changed) {
    if (position <= state.positions.channels) return;
    forget(state, event.channelId, changed);
  },

  CHANNEL_TOPIC_SET(state, event, position, changed) {
    if (position <= state.positions.channels) return;
    change(state, event.channelId, { topic: event.topic }, changed);
  },

  USER_JOINED_CHANNEL(state, event, position, changed) {
    const id = event.channelId;
    if (position > state.positions.channels) {
      const channel = state.channels.get(id);
      if (!channel) changed.add('unknown-channel');
      else {
        const mine = event.userId === state.me ? { member: true } : {};
        change(state, id, { users: channel.users + 1, ...mine }, changed);
      }
    }
    join(state, id, event.userId, position, changed);
  },

  USER_LEFT_CHANNEL: (state, event, position, changed) => leave(state, event.channelId, event.userId, position, changed),
  USER_REMOVED: (state, event, position, changed) => leave(state, event.channelId, event.member, position, changed),

  MESSAGE_SENT(state, event, position, changed) {
    const window = state.messages.get(event.channelId);
    if (!window || position <= window.position || position <= (window.list.at(-1)?.position ?? 0)) return;
    // The newest messages are not loaded.
    if (window.newer) return;
    const mentions = mentioned(state, event);
    window.list.push(without({
      messageId: event.messageId, eventId: event.eventId, position, timestamp: event.timestamp, userId: event.userId,
      userName: event.userName ?? event.userId, text: event.message, kind: event.kind ?? 'text',
      replyTo: event.replyTo && quote(window, event.replyTo), mentions: mentions.length ? mentions : undefined,
      origin: event.origin, meta: event.meta,
    }));
    changed.add(`messages:${event.channelId}`);
  },

  MESSAGE_EDITED(state, event, position, changed) {
    const mentions = mentioned(state, event);
    update(state, event, position, changed, (message) => without({
      ...message, text: event.message, edited: { eventId: event.eventId, timestamp: event.timestamp },
      mentions: mentions.length ? mentions : undefined,
    }));
    requote(state, event.channelId, event.messageId, changed);
  },

  MESSAGE_DELETED(state, event, position, changed) {
    const window = state.messages.get(event.channelId);
    const index = window?.list.findIndex((message) => message.messageId === event.messageId) ?? -1;
    if (index >= 0) {
      window.list.splice(index, 1);
      changed.add(`messages:${event.channelId}`);
    }
    requote(state, event.channelId, event.messageId, changed);
  },

  REACTION_ADDED(state, event, position, changed) {
    update(state, event, position, changed, (message) => {
      const old = message.reactions ?? [];
      const isMine = event.userId === state.me;
      const known = old.find((entry) => entry.reaction === event.reaction);
      if (known?.users.includes(event.userId)) return message;
      const entry = known ?? { reaction: event.reaction, count: 0, users: [] };
      const fresh = without({
        ...entry, count: entry.count + 1, mine: entry.mine || isMine || undefined,
        users: entry.users.length < listedUsers ? [...entry.users, event.userId] : entry.users,
      });
      return { ...message, reactions: known ? old.map((one) => (one === known ? fresh : one)) : [...old, fresh] };
    });
  },

  REACTION_REMOVED(state, event, position, changed) {
    update(state, event, position, changed, (message) => {
      const reactions = (message.reactions ?? []).flatMap((entry) => {
        if (entry.reaction !== event.reaction) return [entry];
        if (!entry.users.includes(event.userId) && entry.count <= entry.users.length) return [entry];
        if (entry.count <= 1) return [];
        return [without({
          ...entry, count: entry.count - 1, users: entry.users.filter((user) => user !== event.userId),
          mine: event.userId === state.me ? undefined : entry.mine,
        })];
      });
      return without({ ...message, reactions: reactions.length ? reactions : undefined });
    });
  },
};

function named(state, event, position, changed) {
  if (position <= state.positions.users) return;
  state.users.set(event.userId, { name: event.name });
  // Every index of names may have the user.
  state.names.clear();
  changed.add('users');
}

function change(state, id, values, changed) {
  const channel = state.channels.get(id);
  if (!channel) return;
  state.channels.set(id, without({ ...channel, ...values }));
  changed.add('channels').add(`channel:${id}`);
}

function join(state, id, user, position, changed) {
  const members = state.members.get(id);
  if (!members || position <= (state.positions.members.get(id) ?? 0)) return;
  members.add(user);
  state.names.delete(id);
  changed.add(`members:${id}`);
}

function leave(state, id, user, position, changed) {
  const channel = state.channels.get(id);
  const members = state.members.get(id);
  if (members && position > (state.positions.members.get(id) ?? 0)) {
    // A removal can also withdraw an invitation.
    if (!members.delete(user)) return;
    state.names.delete(id);
    changed.add(`members:${id}`);
  }
  if (!channel || position <= state.positions.channels) return;
  if (user === state.me && channel.private) {
    forget(state, id, changed);
  } else {
    const mine = user === state.me ? { member: undefined } : {};
    change(state, id, { users: Math.max(0, channel.users - 1), ...mine }, changed);
  }
}

/** Replaces a message of an event by what `make` gives. */
function update(state, event, position, changed, make) {
  const window = state.messages.get(event.channelId);
  const index = window && position > window.position
    ? window.list.findIndex((message) => message.messageId === event.messageId) : -1;
  if (index < 0) return;
  const old = window.list[index];
  if (position <= (old[AT] ?? 0)) return;
  window.list[index] = make(old);
  changed.add(`messages:${event.channelId}`);
}

/** Who an event's text mentions. A message never mentions its own author. */
function mentioned(state, event) {
  if (!event.message.includes('@')) return [];
  return mentionsIn(event.message, namesOf(state, event.channelId)).filter((user) => user !== event.userId);
}

function namesOf(state, id) {
  if (!state.names.has(id)) {
    // Where the members are not loaded, the reader alone can be found.
    const members = state.members.get(id) ?? (state.me ? [state.me] : []);
    state.names.set(id, new NameIndex([...members].map((user) => [user, state.users.get(user)?.name ?? user])));
  }
  return state.names.get(id);
}

/** What a reply shows of its original. `missing`: the page does not have it and asks the server. */
function quote(window, messageId) {
  const original = window.list.find((message) => message.messageId === messageId);
  if (!original) return window.older ? { messageId, missing: true } : { messageId, deleted: true };
  const { eventId, userId, userName, text } = original;
  return { messageId, eventId, userId, userName, text: beginning(text) };
}

function beginning(text) {
  if (text.length <= quoted) return text;
  return Array.from(new Intl.Segmenter().segment(text.slice(0, quoted * 16)), (part) => part.segment)
    .slice(0, quoted).join('');
}

function requote(state, id, messageId, changed) {
  const window = state.messages.get(id);
  if (!window) return;
  window.list.forEach((message, index) => {
    if (message.replyTo?.messageId !== messageId || message.replyTo.deleted) return;
    const isKnown = window.list.some((other) => other.messageId === messageId);
    const replyTo = isKnown || !window.older ? quote(window, messageId) : { messageId, missing: true };
    window.list[index] = { ...message, replyTo };
    changed.add(`messages:${id}`);
  });
}

/** An object without its members that are undefined. */
function without(object) {
  for (const key of Object.keys(object)) if (object[key] === undefined) delete object[key];
  return object;
}

/** Whether a message mentions the reader, as far as the page knows the members of its channel. */
export const mentionsReader = (state, event) => mentioned(state, event).includes(state.me);
