// How users are shown: name, badge of the plugin that brought them and colour.

import { h } from '../lib/h.js';
import { visible } from '../lib/visible.js';

export { visible };

const colours = 12;

/** The class of a user's colour: always the same for an id. */
export function colourOf(userId) {
  let hash = 0;
  for (const character of userId) hash = (hash * 31 + character.codePointAt(0)) >>> 0;
  return `colour-${hash % colours}`;
}

/** The plugin that a user's id belongs to: `irc` of `irc/libera/bob`; undefined for accounts. */
export const pluginOf = (userId) => (userId.includes('/') ? userId.slice(0, userId.indexOf('/')) : undefined);

/** The name under which a message stands: the present one of its author, or the one that a hook gives. */
export function authorName(model, message) {
  const given = message.userId.startsWith('incoming/') ? message.meta?.username : undefined;
  return typeof given === 'string' && given ? given : model.nameOf(message.userId, message.userName);
}

/** A name, isolated from the text around it, with its badge. */
export function nameNode(userId, name, { showId = false } = {}) {
  const plugin = pluginOf(userId);
  return h('span', { class: `name ${colourOf(userId)}` },
    h('bdi', { class: 'name-text', title: userId }, visible(name)),
    showId && h('bdi', { class: 'name-id' }, ` ${userId}`),
    plugin && h('span', { class: 'badge', title: origin(userId) }, plugin));
}

/** Where a plugin's user is from: `bob on libera (irc)` of `irc/libera/bob`. */
export function origin(userId) {
  const [plugin, ...rest] = userId.split('/');
  const nick = rest.pop();
  return `${visible(nick)}${rest.length ? ` on ${visible(rest.join('/'))}` : ''} (${plugin})`;
}
