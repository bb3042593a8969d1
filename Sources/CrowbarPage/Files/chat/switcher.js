// Ctrl+K: to another channel by a few letters.

import { h, keyed, newId } from '../lib/h.js';
import { folded } from '../data/mentions.js';
import { openDialog } from '../lib/dialog.js';
import { visible } from './names.js';

const most = 12;

/** Opens the switcher. */
export function openSwitcher(app) {
  return openDialog('Switch channel', (close) => {
    const id = newId();
    const list = h('ul', { class: 'pick-list', role: 'listbox', id, 'aria-label': 'Channels' });
    let at = 0;
    let found = [];
    const go = (channel) => {
      close();
      app.go(`#/c/${encodeURIComponent(channel.id)}`);
    };
    const show = () => {
      keyed(list, found.map((channel, index) => ({ channel, isChosen: index === at, index })), (row) => row.channel.id,
        ({ channel, isChosen, index }) => h('li', {
          role: 'option', id: `${id}-${index}`, 'aria-selected': isChosen ? 'true' : 'false',
          class: isChosen ? 'option option-chosen' : 'option', onclick: () => go(channel),
        }, h('span', { class: 'hash', 'aria-hidden': 'true' }, '#'), h('bdi', {}, visible(channel.name))), () => false);
      if (found.length) input.setAttribute('aria-activedescendant', `${id}-${at}`);
      else input.removeAttribute('aria-activedescendant');
    };
    const update = () => {
      const word = folded(input.value.trim().replace(/^#/, ''));
      found = [...app.model.state.channels.values()]
        .filter((channel) => folded(channel.name).includes(word) || channel.id.includes(word))
        .sort((a, b) => rank(app, a, word) - rank(app, b, word)).slice(0, most);
      at = 0;
      show();
    };
    const input = h('input', {
      class: 'input', type: 'text', role: 'combobox', autofocus: true, autocomplete: 'off', 'aria-label': 'Channel',
      'aria-autocomplete': 'list', 'aria-controls': id, 'aria-expanded': 'true', oninput: update,
      onkeydown: (event) => {
        if (event.key === 'ArrowDown') at = (at + 1) % (found.length || 1);
        else if (event.key === 'ArrowUp') at = (at + found.length - 1) % (found.length || 1);
        else if (event.key === 'Enter' && found[at]) go(found[at]);
        else return;
        event.preventDefault();
        show();
      },
    });
    update();
    return h('div', { class: 'stack' }, input, list);
  });
}

/** Unread channels first, then the reader's own, then the beginning of a name. */
function rank(app, channel, word) {
  const { unread, mentions } = app.model.unread.of(channel.id);
  return (mentions ? 0 : unread ? 1 : channel.member ? 2 : 3) * 2 + (folded(channel.name).startsWith(word) ? 0 : 1);
}
