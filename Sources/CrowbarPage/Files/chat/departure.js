// What is shown of a channel that the reader no longer has.

import { h } from '../lib/h.js';
import { notice } from './notice.js';

/** The screen in place of the channel, and the same in a line. `how` is `removed`, `destroyed` or `gone`. */
export function departure(model, { how, by }) {
  const who = by && model.nameOf(by);
  const [title, text] = {
    removed: ['You were removed from this channel', `${who} removed you from this channel.`],
    destroyed: ['This channel was deleted', `${who} deleted it.`],
    gone: ['This channel is gone', 'It was deleted, or you are no longer a member.'],
  }[how];
  const node = h('main', { class: 'channel-main', id: 'main', tabindex: '-1' },
    h('h1', { class: 'hidden' }, 'Crowbar'), notice(title, text, h('a', { class: 'button', href: '#/' }, 'To your channels')));
  return { node, text };
}
