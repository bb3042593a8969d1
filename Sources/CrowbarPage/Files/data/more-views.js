// Views that are loaded behind the first screen.

const mostMembers = 5000;
const page = 500;

/** Loads a channel with its members into a model. */
export async function loadMembers(model, id) {
  const { state } = model;
  const members = new Set();
  let after;
  let position = 0;
  do {
    const answer = await model.view(`channel/${encodeURIComponent(id)}`, { after, limit: page });
    // The first page tells up to where events are in all of them.
    if (!after) position = answer.position;
    for (const user of answer.data.users) {
      members.add(user.id);
      state.users.set(user.id, { name: user.name });
    }
    after = answer.data.users.length === page && members.size < mostMembers ? answer.data.users[page - 1].id : undefined;
    const channel = state.channels.get(id);
    if (channel) state.channels.set(id, { ...channel, creator: answer.data.creator });
  } while (after);
  state.members.set(id, members);
  state.positions.members.set(id, position);
  state.names.delete(id);
  model.changed(`members:${id}`);
  model.changed('users');
  model.replay(position);
}

/** Asks the server for the original of a reply that the page does not have. */
export async function loadQuote(model, id, message) {
  const { data } = await model.view(`messages/${encodeURIComponent(id)}`, { limit: 1, around: message.eventId });
  const { list } = model.state.messages.get(id) ?? { list: [] };
  const index = list.findIndex((one) => one.eventId === message.eventId);
  const answer = data.messages.find((one) => one.eventId === message.eventId);
  if (index < 0 || !answer) return;
  list[index] = { ...list[index], replyTo: answer.replyTo };
  model.changed(`messages:${id}`);
}
