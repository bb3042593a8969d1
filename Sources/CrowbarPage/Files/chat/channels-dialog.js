// All channels: join one, or create one.

import { button, fill, h, icon } from '../lib/h.js';
import { channelIdFault, nameFault } from '../data/rules.js';
import { check, field, form, require } from '../lib/form.js';
import { folded } from '../data/mentions.js';
import { icons } from '../lib/icons.js';
import { openDialog } from '../lib/dialog.js';
import { visible } from './names.js';

const shown = 200;

/** Opens the dialog. */
export function channelsDialog(app) {
  return openDialog(app.model.isAnonymous ? 'Channels' : 'Join or create a channel', (close) => {
    const list = h('ul', { class: 'pick-list' });
    const filter = field('Find a channel', {
      type: 'search', autofocus: true, oninput: () => fill(list, rows(app, filter.input.value, close)),
    });
    fill(list, rows(app, '', close));
    return h('div', { class: 'stack' }, filter.node, list, !app.model.isAnonymous && creation(app, close));
  });
}

function rows(app, text, close) {
  const word = folded(text);
  const found = [...app.model.state.channels.values()]
    .filter((channel) => folded(channel.id).includes(word) || folded(channel.name).includes(word));
  if (!found.length) return h('li', { class: 'empty' }, 'No channel has this name.');
  return found.slice(0, shown).map((channel) => h('li', { class: 'pick' },
    h('a', { class: 'pick-main', href: `#/c/${encodeURIComponent(channel.id)}`, onclick: () => close() },
      channel.private ? icon(icons.lock) : h('span', { class: 'hash', 'aria-hidden': 'true' }, '#'),
      h('bdi', { class: 'channel-name' }, visible(channel.name)),
      h('span', { class: 'muted' }, `${channel.users} ${channel.users === 1 ? 'member' : 'members'}`)),
    !app.model.isAnonymous && !channel.member && button({
      class: 'button button-small', 'aria-label': `Join ${visible(channel.name)}`,
      onclick: () => {
        close();
        app.join(channel.id);
      },
    }, 'Join')));
}

function creation(app, close) {
  const id = field('Id', { maxlength: '64', spellcheck: 'false' }, 'Short and for ever, as “release-plans”.');
  const name = field('Name', { maxlength: '256' }, 'May be left empty.');
  const isPrivate = check('Private: only members read it, and only by invitation');
  return h('details', { class: 'creation' }, h('summary', {}, 'Create a channel'),
    form({
      fields: [id, name, isPrivate], action: 'Create',
      submit: async () => {
        const channelId = id.input.value.trim().toLowerCase();
        require(channelIdFault(channelId), id);
        if (name.input.value) require(nameFault(name.input.value, app.limits), name);
        await app.command('CREATE_CHANNEL', channelId, {
          ...(name.input.value.trim() ? { channelName: name.input.value.trim() } : {}),
          ...(isPrivate.input.checked ? { private: true } : {}),
        });
        close();
        app.go(`#/c/${encodeURIComponent(channelId)}`);
      },
    }));
}
