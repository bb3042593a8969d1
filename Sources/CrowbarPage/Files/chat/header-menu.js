// What can be done with a channel.

import { confirmDialog, openDialog, openMenu } from '../lib/dialog.js';
import { field, form, require } from '../lib/form.js';
import { topicFault } from '../data/rules.js';

/** Opens the menu of a channel. */
export function headerMenu(app, id, anchor) {
  const { session, model, showError } = app;
  const channel = model.state.channels.get(id);
  if (!channel) return;
  const isOwner = channel.creator === model.me || session.role === 'admin';
  openMenu(anchor, [
    channel.member && { label: 'Set the topic…', action: () => setTopic(app, channel) },
    channel.member && channel.private && { label: 'Invite…', action: () => invite(app, id) },
    channel.member && { label: 'Leave', action: () => app.run(id, 'leave').catch(showError) },
    !channel.member && { label: 'Join', action: () => app.join(id) },
    isOwner && { label: 'Delete this channel…', isDanger: true, action: () => destroy(app, channel) },
  ]);
}

function setTopic(app, channel) {
  const topic = field('Topic', { rows: '3', autofocus: true, value: channel.topic ?? '' });
  openDialog(`Topic of ${channel.name}`, (close) => form({
    fields: [topic], action: 'Set', submit: async () => {
      require(topicFault(topic.input.value, app.limits), topic);
      await app.command('SET_TOPIC', channel.id, { topic: topic.input.value });
      close();
    },
  }));
}

function invite(app, id) {
  const user = field('User', { autofocus: true }, 'An id, or the name of somebody you share a channel with.');
  openDialog('Invite somebody', (close) => form({
    fields: [user], action: 'Invite', submit: async () => {
      await app.run(id, 'invite', user.input.value);
      close();
    },
  }));
}

async function destroy(app, channel) {
  const isSure = await confirmDialog(`Delete ${channel.name}?`,
    `The channel and its messages disappear for all ${channel.users} members. This cannot be undone.`, 'Delete the channel');
  if (isSure) await app.command('DESTROY_CHANNEL', channel.id).catch(app.showError);
}
