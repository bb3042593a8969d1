// What stands in the list of messages: messages, dividers, and messages that are not sent yet. A pure function.

import { dayOf, dayText } from '../lib/time.js';

const groupWithin = 5 * 60 * 1000;

/**
 * The rows of a slice of messages. `newFrom`: the message before which "new" stands, or undefined.
 * Rows are {key, type: 'message' | 'day' | 'new' | 'pending', ...} and compare with `sameRow`.
 */
export function rowsOf(messages, { newFrom, pending = [], context, me }) {
  const rows = [];
  let before;
  for (const message of messages) {
    const isNewDay = !before || dayOf(before.timestamp) !== dayOf(message.timestamp);
    if (isNewDay) rows.push({ key: `day-${dayOf(message.timestamp)}`, type: 'day', text: dayText(message.timestamp) });
    const isNew = message.eventId === newFrom;
    if (isNew) rows.push({ key: 'new', type: 'new' });
    rows.push({
      key: message.messageId, type: 'message', message, context,
      isGrouped: !isNewDay && !isNew && follows(message, before),
    });
    before = message;
  }
  for (const entry of pending) {
    const last = rows.at(-1);
    const isGrouped = last?.type === 'pending' || (before?.userId === me && entry.at - before.timestamp < groupWithin);
    rows.push({ key: `pending-${entry.eventId}`, type: 'pending', entry, isGrouped });
  }
  return rows;
}

/** Whether a message stands under the name of the one before it. */
function follows(message, before) {
  return before.userId === message.userId && before.meta?.username === message.meta?.username
    && message.timestamp - before.timestamp < groupWithin
    && message.kind === 'text' && before.kind === 'text' && !message.replyTo;
}

/** Whether two rows look alike. */
export function sameRow(a, b) {
  return a !== undefined && a.type === b.type && a.message === b.message && a.isGrouped === b.isGrouped
    && a.entry === b.entry && a.text === b.text && a.context === b.context;
}

/** The event of the first unread message of a list, or undefined. */
export function firstUnread(messages, { unread, read }, me) {
  if (!unread) return undefined;
  const marker = messages.findIndex((message) => message.eventId === read);
  if (marker >= 0) {
    return messages.slice(marker + 1).find((message) => message.userId !== me && message.kind !== 'notice')?.eventId;
  }
  let left = unread;
  for (let index = messages.length - 1; index >= 0; index -= 1) {
    if (messages[index].userId === me || messages[index].kind === 'notice') continue;
    left -= 1;
    if (left === 0) return messages[index].eventId;
  }
  return messages[0]?.eventId;
}
