// One row of the list of messages.

import { h, icon } from '../lib/h.js';
import { icons } from '../lib/icons.js';
import { fullText, timeText } from '../lib/time.js';
import { authorName, nameNode, visible } from './names.js';
import { plainText } from '../lib/markdown.js';
import { textNodes } from './text.js';

const stacked = /\p{M}{3}/u;

/** Makes a row. `on` has `react`, `jump`, `pendingNode`, `editPending` and `dropPending`. */
export function rowNode(row, { model, on, isAlike, canWrite }) {
  if (row.type === 'day') return h('div', { class: 'divider', role: 'separator' }, h('span', {}, row.text));
  if (row.type === 'new') {
    return h('div', { class: 'divider divider-new', role: 'separator' }, h('span', {}, 'new'));
  }
  return row.type === 'pending' ? on.pendingNode(row, model, on) : messageNode(row, { model, on, isAlike, canWrite });
}

function messageNode({ message, isGrouped }, { model, on, isAlike, canWrite }) {
  const name = authorName(model, message);
  const isMe = message.userId === model.me;
  const mentionsMe = message.mentions?.includes(model.me);
  const classes = ['row', isGrouped && 'row-grouped', message.kind !== 'text' && `row-${message.kind}`,
    mentionsMe && 'row-mentions-me', isMe && 'row-mine'];
  return h('div', {
    class: classes.filter(Boolean).join(' '), role: 'article', tabindex: '-1', 'data-event': message.eventId,
    'data-position': message.position,
  },
  h('div', { class: 'row-author' }, nameNode(message.userId, name, { showId: isAlike(message.userId) })),
  h('div', { class: 'row-body' },
    message.replyTo && quoteNode(message.replyTo, model, on),
    h('div', { class: stacked.test(message.text) ? 'text text-stacked' : 'text', dir: 'auto' }, textNodes(message.text, { mentions: mentionNames(message, model) }),
      message.edited && h('span', { class: 'edited', title: `edited ${fullText(message.edited.timestamp)}` }, ' (edited)')),
    reactionsNode(message, model, on, canWrite)),
  h('time', {
    class: 'row-time', datetime: new Date(message.timestamp).toISOString(), title: fullText(message.timestamp),
  }, timeText(message.timestamp)));
}

function mentionNames(message, model) {
  return (message.mentions ?? []).flatMap((id) => [...new Set([model.nameOf(id), id])]
    .map((name) => ({ name, isMe: id === model.me }))).sort((a, b) => b.name.length - a.name.length);
}

function quoteNode(replyTo, model, on) {
  if (replyTo.deleted) return h('div', { class: 'quote quote-gone' }, 'The original message was deleted.');
  if (replyTo.missing) return h('div', { class: 'quote quote-gone' }, 'Loading the original…');
  const name = model.nameOf(replyTo.userId, replyTo.userName);
  return h('button', {
    type: 'button', class: 'quote', tabindex: '-1', title: 'Show the original',
    onclick: () => on.jump(replyTo.eventId),
  }, icon(icons.reply), nameNode(replyTo.userId, name), h('span', { class: 'quote-text', dir: 'auto' }, visible(plainText(replyTo.text))));
}

function reactionsNode(message, model, on, canWrite) {
  if (!message.reactions?.length) return undefined;
  return h('div', { class: 'reactions' }, message.reactions.map((entry) => {
    const names = entry.users.map((id) => visible(model.nameOf(id)));
    const others = entry.count - names.length;
    const who = others > 0 ? `${names.join(', ')} and ${others} more` : names.join(', ');
    return h('button', {
      type: 'button', tabindex: '-1', class: entry.mine ? 'reaction reaction-mine' : 'reaction',
      'aria-pressed': entry.mine ? 'true' : 'false', title: who, disabled: !canWrite,
      'aria-label': `${visible(entry.reaction)}, ${entry.count}: ${who}`, onclick: () => on.react(message, entry.reaction),
    }, h('bdi', { class: 'reaction-sign' }, visible(entry.reaction)), h('span', {}, ` ${entry.count}`));
  }));
}
