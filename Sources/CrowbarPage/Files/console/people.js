// Who may do what: users, invites, tokens, hooks.

import { ago, asking, count, formDialog, healthNode, Listing, many, showSecret, twins, until } from './parts.js';
import { button, fill, h } from '../lib/h.js';
import { choice, field, require } from '../lib/form.js';
import { nameFault, userIdFault } from '../data/rules.js';
import { pathOf } from '../data/api.js';

const base = '/api/admin';
const page = 100;
const at = (kind, id) => `${base}/${kind}/${encodeURIComponent(id)}`;

/** A function that loads a list by pages whose next begins behind the last row's `key`. */
const pages = (app, path, key, more = () => ({})) => async (after) => {
  const { data } = await app.api.get(pathOf(path, { ...more(), after, limit: page }));
  return { rows: data, next: data.length === page ? data.at(-1)[key] : undefined };
};
const whole = (app, path) => async () => ({ rows: (await app.api.get(path)).data });

/** A section: a button that adds, the commands of the command line, and a list. */
function section(body, listing, add, ...commands) {
  fill(body, add && h('div', { class: 'buttons buttons-start' }, add), twins(...commands), listing.node);
  listing.show();
  return {};
}

const finder = ({ node }, listing) => h('form', {
  class: 'search-form', role: 'search', onsubmit: (event) => {
    event.preventDefault();
    listing.show();
  },
}, node, h('button', { type: 'submit', class: 'button' }, 'Find'));

const adding = (label, onclick) => button({ class: 'button button-main', onclick }, label);

/** Users: roles, disabling, reset links, sessions. */
export function users(app, body) {
  const words = field('Find', { type: 'search' });
  const listing = new Listing(app, {
    label: 'Users', key: 'userId', titles: ['User', 'Name', 'Role', 'State', 'Created', 'Last seen', 'Sessions', 'Actions'], empty: 'Nobody is found.',
    load: pages(app, `${base}/users`, 'userId', () => ({ q: words.input.value.trim() || undefined })),
    row: (user, reload) => [[
      user.userId, user.name ?? '', user.roleSource === 'oidc' ? `${user.role} (by the provider)` : user.role,
      healthNode(user.disabled ? 'off' : 'ok', user.disabled ? 'disabled' : 'enabled'), ago(user.created), ago(user.lastSeen), count(user.sessions),
      h('div', { class: 'buttons buttons-start' }, userActions(app, user, reload)),
    ]],
  });
  const result = section(body, listing, adding('Add a user', () => addUser(app, listing)), ['user', 'list'], ['user', 'add', 'USER'],
    ['user', 'role', 'USER', 'admin|member'], ['user', 'disable|enable', 'USER'], ['user', 'logout', 'USER'], ['user', 'reset', 'USER']);
  listing.node.before(finder(words, listing));
  return result;
}

function userActions(app, user, then) {
  const id = user.userId;
  const change = (fields) => () => app.api.call('PATCH', at('users', id), fields);
  const isAdmin = user.role === 'admin';
  const sessions = many(user.sessions ?? 0, 'session');
  return [
    asking(app, {
      label: isAdmin ? 'Make a member' : 'Make an admin', name: `${isAdmin ? 'Make a member' : 'Make an admin'}: ${id}`, then,
      title: isAdmin ? `Make ${id} a member?` : `Make ${id} an admin?`,
      effect: isAdmin ? 'This account no longer sees the console.' : 'This account may do everything: users, plugins, all channels.',
      words: ['user', 'role', id, isAdmin ? 'member' : 'admin'], call: change({ role: isAdmin ? 'member' : 'admin' }),
    }),
    asking(app, {
      label: user.disabled ? 'Enable' : 'Disable', name: `${user.disabled ? 'Enable' : 'Disable'} ${id}`, then,
      title: user.disabled ? `Enable ${id}?` : `Disable ${id}?`,
      effect: user.disabled ? 'This user may sign in again.' : `This user can no longer sign in. ${sessions} and all tokens stop working within 6 s.`,
      words: ['user', user.disabled ? 'enable' : 'disable', id], call: change({ disabled: !user.disabled }),
    }),
    asking(app, {
      label: 'Sign out', name: `Sign out ${id}`, then, title: `Sign ${id} out everywhere?`, effect: `Ends ${sessions}. Password and machine tokens stay.`,
      words: ['user', 'logout', id], call: () => app.api.post(`${at('users', id)}/logout`, {}),
    }),
    app.about.passwords && asking(app, {
      label: 'Reset link', name: `Reset link for ${id}`, title: `Make a reset link for ${id}?`, isDanger: false, done: 'Reset link made',
      effect: 'Whoever has the link can choose a new password for this account, once, within 24 hours. A link that was made before stops working. '
        + `When the link is used, ${sessions} of this user ${user.sessions === 1 ? 'ends' : 'end'}.`,
      words: ['user', 'reset', id], call: async () => {
        const { data } = await app.api.post(`${at('users', id)}/reset`, {});
        showSecret('Reset link', `${id} chooses a new password by this link, once, within 24 hours. It is not shown again.`, data.link);
      },
    }),
  ];
}

async function addUser(app, listing) {
  const id = field('User id', { autofocus: true, spellcheck: 'false', autocapitalize: 'none', maxlength: '32' });
  const name = field('Name', {}, 'May be left empty.');
  const role = choice('Role', [['member', 'Member'], ['admin', 'Admin']], 'An admin may do everything: users, plugins, all channels.');
  const made = await formDialog('Add a user', {
    fields: [id, name, role], action: 'Add', words: ['user', 'add', 'USER', '[--admin]'],
    text: app.about.passwords ? 'You get a link by which the person chooses a password.' : 'The account has no password.', send: async () => {
      require(userIdFault(id.input.value.trim()), id);
      const text = name.input.value.trim();
      if (text) require(nameFault(text, app.limits), name);
      return (await app.api.post(`${base}/users`, {
        userId: id.input.value.trim(), role: role.input.value, ...(text ? { name: text } : {}),
      })).data;
    },
  });
  if (!made) return;
  listing.show();
  if (made.link) showSecret('User added', 'Give this link to the person. It works once, within 24 hours, and is not shown again.', made.link);
}

/** Why an invite is of no use on this server; undefined if it is. */
function withoutUse({ registration, passwords }) {
  if (!passwords) return 'This server has no passwords, so nobody can register by an invite.';
  if (registration === 'closed') return 'Registration is closed: nobody can register by an invite. Set [auth] registration = "invite" and restart the server.';
  return registration === 'open' ? 'Registration is open: people need no invite.' : undefined;
}

/** Invites: links by which people register. */
export function invites(app, body) {
  const warning = withoutUse(app.about);
  const listing = new Listing(app, {
    label: 'Invites', key: 'id', titles: ['Invite', 'Used', 'Ends', 'Made by', 'Note', 'Actions'], empty: 'There are no invites.', load: whole(app, `${base}/invites`),
    row: (invite, then) => [[
      invite.id, `${count(invite.used ?? 0)} of ${count(invite.uses)}`, until(invite.expires), invite.creator ?? '', invite.note ?? '',
      asking(app, {
        label: 'Remove', name: `Remove invite ${invite.id}`, then, title: 'Remove this invite?',
        effect: `${many(invite.uses - (invite.used ?? 0), 'more person', 'more people')} could have registered by it. Accounts that it made stay.`,
        words: ['invite', 'revoke', invite.id], call: () => app.api.call('DELETE', at('invites', invite.id)),
      }),
    ]],
  });
  const result = section(body, listing, adding('Create an invite', async () => {
    const uses = field('People', { type: 'number', value: '1', min: '1', max: '1000', autofocus: true }, 'How many may register by it, up to 1,000.');
    const days = field('Days', { type: 'number', value: '7', min: '1', max: '90' }, 'How long it works, up to 90.');
    const note = field('Note', { maxlength: '256' }, 'For admins. May be left empty.');
    const made = await formDialog('Create an invite', {
      fields: [uses, days, note], action: 'Create', text: [warning && h('span', { class: 'fault' }, warning, ' '), 'An invite makes members, never admins.'],
      words: ['invite', 'create', '--uses', 'N', '--expires', '7d', '--note', 'TEXT'], send: async () => (await app.api.post(`${base}/invites`, {
        uses: Number(uses.input.value), expires: `${Number(days.input.value)}d`, ...(note.input.value ? { note: note.input.value } : {}),
      })).data,
    });
    if (!made) return;
    listing.show();
    showSecret('Invitation link', warning ?? 'Whoever has this link can register. It is not shown again.', made.link);
  }), ['invite', 'list'], ['invite', 'create', '--uses', 'N', '--expires', '7d'], ['invite', 'revoke', 'ID']);
  if (warning) body.prepend(h('p', { class: 'note' }, warning));
  return result;
}

/** Sessions and machine tokens of everybody. */
export function tokens(app, body) {
  const user = field('User id', { type: 'search', spellcheck: 'false' });
  const listing = new Listing(app, {
    label: 'Tokens', key: 'id', titles: ['Token', 'User', 'Kind', 'Rights', 'Created', 'Last used', 'From', 'Ends', 'Actions'], empty: 'There are no tokens.',
    load: pages(app, `${base}/tokens`, 'id', () => ({ user: user.input.value.trim() || undefined })),
    row: (token, then) => [[
      token.name ?? token.id, token.userId, token.kind, (token.scopes ?? []).join(', '), ago(token.created), ago(token.lastUsed), token.address ?? '',
      until(token.expires), asking(app, {
        label: 'Revoke', name: `Revoke ${token.name ?? token.id} of ${token.userId}`, then, title: `Revoke this ${token.kind} of ${token.userId}?`,
        effect: 'Whatever uses it is refused within 6 s, open streams too.', words: ['token', 'revoke', token.id],
        call: () => app.api.call('DELETE', at('tokens', token.id)),
      }),
    ]],
  });
  const result = section(body, listing, undefined, ['token', 'list'], ['token', 'revoke', 'ID']);
  listing.node.before(finder(user, listing));
  return result;
}

/** Incoming hooks: addresses that programs post messages to. */
export function hooks(app, body) {
  const listing = new Listing(app, {
    label: 'Hooks', key: 'name', titles: ['Hook', 'Kind', 'Channel', 'Created', 'Actions'], empty: 'There are no hooks.', load: whole(app, `${base}/hooks`),
    row: (hook, then) => [[
      hook.name, hook.kind ?? 'message', hook.channelId ?? '', ago(hook.created), asking(app, {
        label: 'Remove', name: `Remove hook ${hook.name}`, then, title: `Remove the hook ${hook.name}?`,
        effect: `Programs that post to its address${hook.channelId ? `, into ${hook.channelId},` : ''} are refused from now on. Its messages stay.`,
        words: ['hooks', 'revoke', hook.name], call: () => app.api.call('DELETE', at('hooks', hook.name)),
      }),
    ]],
  });
  return section(body, listing, adding('Add a hook', async () => {
    const name = field('Name', { autofocus: true, spellcheck: 'false', maxlength: '64' }, 'Its messages stand under incoming/NAME.');
    const channel = field('Channel', { spellcheck: 'false' }, 'The id of the channel that it posts to.');
    const made = await formDialog('Add a hook', {
      fields: [name, channel], action: 'Add', words: ['hooks', 'add', 'NAME', 'CHANNEL'], send: async () => (await app.api.post(`${base}/hooks`, {
        name: name.input.value.trim(), channel: channel.input.value.trim(),
      })).data,
    });
    if (!made) return;
    listing.show();
    const origin = app.api.base || location.origin;
    showSecret('Address of the hook', 'Programs post messages to this address. It is a secret, and is not shown again.', `${origin}/hooks/${made.token}`);
  }), ['hooks', 'list'], ['hooks', 'add', 'NAME', 'CHANNEL'], ['hooks', 'revoke', 'NAME']);
}
