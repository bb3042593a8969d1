// A state has
//   me            the id of the reader, or null
//   users         Map of ids to {name}
//   channels      Map of ids to {id, name, description?, topic?, users, private?, member?, creator?}, in order of creation
//   members       Map of channel ids to a Set of user ids; only of channels whose members are loaded
//   messages      Map of channel ids to a window {list, older, newer, position}; only of channels that are loaded
//   positions     {channels, users, members: Map}: events up to there are in what was loaded
// Messages have the shape of docs/api.md and are replaced, never changed, so that identity tells what changed.

/** The position up to which a message includes edits and reactions. */
export const AT = Symbol('at');

/** A state before the first event. */
export function emptyState(me = null) {
  return {
    me, users: new Map(), channels: new Map(), members: new Map(), messages: new Map(), names: new Map(),
    positions: { channels: 0, users: 0, members: new Map() },
  };
}

/** Removes a channel with all that is known of it. */
export function forget(state, id, changed = new Set()) {
  state.channels.delete(id);
  state.members.delete(id);
  state.messages.delete(id);
  state.names.delete(id);
  state.positions.members.delete(id);
  changed.add('channels').add(`channel:${id}`).add(`messages:${id}`);
}
