// What can be done with a message: the menu of its row, and reactions.

import { pendingNode } from './pending-row.js';
import { announce } from '../lib/announcer.js';
import { button, h, icon } from '../lib/h.js';
import { field, form, require } from '../lib/form.js';
import { confirmDialog, openDialog, openMenu } from '../lib/dialog.js';
import { icons } from '../lib/icons.js';
import { nameNode, visible } from './names.js';
import { plainText } from '../lib/markdown.js';
import { reactionFault } from '../data/rules.js';

const common = ['👍', '❤️', '😂', '🎉', '😮', '😢', '👀', '✅', '🙏', '🚀'];

/** What rows do in a channel's view: see rowNode. */
export function rowActions(app, view) {
  return {
    pendingNode,
    toolbar: (message) => toolbar(app, view, message),
    menu: (message, anchor, point) => messageMenu(app, view, message, anchor, point),
    react: (message, reaction) => toggleReaction(app, view.id, message, reaction),
    pickReaction: (message) => pickReaction(app, view.id, message),
    reply: (message) => view.composer?.reply(message),
    edit: (message) => view.composer?.edit(message),
    editPending: (entry) => view.composer?.write(app.outbox.take(view.id, entry.eventId).text),
    dropPending: (entry) => app.outbox.take(view.id, entry.eventId),
  };
}

/** The buttons of the row under the pointer. The menu has the same for the keyboard. */
function toolbar(app, view, message) {
  const actions = rowActions(app, view);
  const action = (label, path, run) => button({
    class: 'icon-button', label, tabindex: '-1', onclick: ({ currentTarget }) => {
      // The buttons go with the pointer; the focus comes back to the row.
      currentTarget.closest('.row').focus({ preventScroll: true });
      run(currentTarget);
    },
  }, icon(path));
  return h('div', { class: 'row-actions' },
    action('Add a reaction', icons.react, () => actions.pickReaction(message)),
    action('Reply', icons.reply, () => actions.reply(message)),
    message.userId === app.model.me && action('Edit', icons.edit, () => actions.edit(message)),
    action('More actions', icons.more, (anchor) => actions.menu(message, anchor)));
}

function messageMenu(app, view, message, anchor, point) {
  const { model } = app;
  const actions = rowActions(app, view);
  const isMe = message.userId === model.me;
  const canWrite = view.on.canWrite();
  const canDelete = app.session?.role === 'admin' || (canWrite && isMe);
  const link = `${location.href.split('#')[0]}#/c/${encodeURIComponent(view.id)}/m/${encodeURIComponent(message.eventId)}`;
  openMenu(anchor, [
    canWrite && { label: 'Reply', action: () => actions.reply(message) },
    canWrite && { label: 'Add a reaction…', action: () => actions.pickReaction(message) },
    ...(canWrite ? message.reactions ?? [] : []).slice(0, 5).map(({ reaction, mine }) => ({
      label: mine ? `Take back ${reaction}` : `React with ${reaction}`, action: () => actions.react(message, reaction),
    })),
    message.reactions && { label: 'Who reacted…', action: () => showReactions(model, message) },
    canWrite && isMe && { label: 'Edit', action: () => actions.edit(message) },
    message.replyTo?.eventId && { label: 'Show the original', action: () => view.on.jump(message.replyTo.eventId) },
    canWrite && { label: 'Mark unread from here', action: () => markUnread(app, view, message) },
    { label: 'Copy text', action: () => copy(app, message.text) },
    { label: 'Copy link', action: () => copy(app, link) },
    canDelete && { label: 'Delete…', isDanger: true, action: () => remove(app, view, message) },
  ], point);
}

async function markUnread(app, view, message) {
  try {
    await app.markers.setUnread(view.id, message.eventId);
    view.list.setNewFrom(message.eventId);
    announce('Marked as unread from here');
  } catch (error) {
    app.showError(error);
  }
}

async function remove(app, view, message) {
  const isSure = await confirmDialog('Delete this message?', plainText(message.text.slice(0, 300)), 'Delete');
  if (!isSure) return;
  await app.command('DELETE_MESSAGE', view.id, { messageId: message.messageId }).then(
    () => announce('Message deleted'), app.showError);
}

async function copy(app, text) {
  try {
    // Not there on plain http beyond localhost.
    await navigator.clipboard.writeText(text);
    announce('Copied');
  } catch {
    openDialog('Copy this text', () => h('textarea', { class: 'input', rows: '4', readonly: true, 'aria-label': 'Text', value: text }));
  }
}

/** Adds the reader's reaction, or takes it back. */
async function toggleReaction(app, id, message, reaction) {
  const mine = message.reactions?.find((entry) => entry.reaction === reaction)?.mine;
  try {
    await app.command(mine ? 'REMOVE_REACTION' : 'ADD_REACTION', id, { messageId: message.messageId, reaction });
    announce(mine ? `Took back ${reaction}` : `Reacted with ${reaction}`);
  } catch (error) {
    if (error.code !== 'already_reacted' && error.code !== 'not_reacted') app.showError(error);
  }
}

/** Who gave which reaction: the buttons say it in a tooltip, which neither fingers nor keys reach. */
function showReactions(model, message) {
  openDialog('Who reacted', () => h('ul', { class: 'stack' }, message.reactions.map(({ reaction, count, users }) => h('li', { class: 'who' },
    h('bdi', { class: 'reaction-sign' }, visible(reaction)), users.map((id) => nameNode(id, model.nameOf(id))),
    count > users.length && h('span', { class: 'muted' }, `and ${count - users.length} more`)))));
}

/** Lets the reader choose a reaction. */
async function pickReaction(app, id, message) {
  const chosen = await openDialog('Add a reaction', (close) => {
    const other = field('Another one', { maxlength: '64' }, 'One emoji, or a name as :thumbs_up:');
    return h('div', { class: 'stack' },
      h('div', { class: 'reaction-grid', role: 'group', 'aria-label': 'Common reactions' }, common.map((reaction, index) => button({
        class: 'reaction-choice', autofocus: index === 0, label: reaction, onclick: () => close(reaction),
      }, reaction))),
      form({
        fields: [other], action: 'Add', submit: () => {
          const text = other.input.value.trim().normalize('NFC');
          require(reactionFault(text), other);
          close(text);
        },
      }));
  });
  if (!chosen) return;
  if (!message.reactions?.some((entry) => entry.reaction === chosen && entry.mine)) {
    await toggleReaction(app, id, message, chosen);
  }
}
