// The row of a message that the server has not answered yet, or has refused.

import { button, h } from '../lib/h.js';
import { nameNode } from './names.js';
import { textNodes } from './text.js';
import { timeText } from '../lib/time.js';

/** Makes the row of an entry of the outbox. `on` has `editPending(entry)` and `dropPending(entry)`. */
export function pendingNode({ entry, isGrouped }, model, on) {
  const isRefused = entry.state === 'refused';
  const state = isRefused ? `Not sent: ${entry.reason}`
    : entry.state === 'waiting' && entry.reason ? 'Not sent yet. Crowbar tries again.' : 'Sending…';
  return h('div', {
    class: `row row-pending${isRefused ? ' row-refused' : ''}${isGrouped ? ' row-grouped' : ''}`, role: 'article', tabindex: '-1',
  },
  h('div', { class: 'row-author' }, nameNode(model.me, model.nameOf(model.me))),
  h('div', { class: 'row-body' },
    h('div', { class: 'text', dir: 'auto' }, textNodes(entry.text)),
    h('div', { class: 'pending-state' }, state,
      isRefused && button({ class: 'link-button', tabindex: '-1', onclick: () => on.editPending(entry) }, 'Edit'),
      isRefused && button({ class: 'link-button', tabindex: '-1', onclick: () => on.dropPending(entry) }, 'Discard'))),
  h('time', { class: 'row-time', datetime: new Date(entry.at).toISOString() }, timeText(entry.at)));
}
