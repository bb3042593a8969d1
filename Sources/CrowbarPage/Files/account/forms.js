// The forms that make a session in another way than by password: a token, a new account, the first start, a new password.

import { Api } from '../data/api.js';
import { card } from '../chat/notice.js';
import { sharedField } from './sign-in.js';
import { field, form, require } from '../lib/form.js';
import { h } from '../lib/h.js';
import { nameFault, passwordFault, userIdFault } from '../data/rules.js';

/** The form for a token that the command line or a session made. */
export function tokenForm(app) {
  const token = field('Token', { type: 'password', spellcheck: 'false' }, 'An administrator makes one: crowbar token USER');
  const shared = sharedField();
  return form({
    fields: [token, shared], action: 'Sign in', submit: async () => {
      require(/^[\x21-\x7e]+$/.test(token.input.value.trim()) ? undefined : 'Enter a token.', token);
      await signIn(app, token.input.value.trim(), shared.input.checked);
    },
  });
}

async function signIn(app, token, isShared) {
  const api = new Api(app.api.base);
  api.token = token;
  app.signedIn({ ...(await api.get('/api/me')).data, token, isShared, kind: 'token' });
}

/** Creates an account, with an invitation's token where there is one. */
export function registerScreen(app, invite) {
  const { registration } = app.about;
  const isClosed = registration === 'closed' || (registration === 'invite' && !invite);
  if (isClosed) return card('Create an account', h('p', {}, registration === 'closed'
    ? 'An administrator makes the accounts of this server.' : 'This server accepts new accounts only by invitation.'), backLink());
  return accountScreen(app, 'Create an account', 'Create', async (values) => {
    const { data } = await app.api.post('/api/register', { ...values, ...(invite ? { invite } : {}) });
    return data;
  });
}

/** The first start: makes the first administrator. */
export function setupScreen(app, token) {
  return accountScreen(app, 'Set up this server', 'Create the administrator', async (values) => {
    const { data } = await app.api.post('/api/setup', { token, ...values });
    return data;
  }, 'You are the first. This account administers the server.');
}

function accountScreen(app, title, action, send, text) {
  const user = field('User id', { autocomplete: 'username', spellcheck: 'false', autocapitalize: 'none', autofocus: true, maxlength: '32' },
    'Others mention you by it, and it never changes.');
  const name = field('Name', { autocomplete: 'name' }, 'Shown beside your messages. May be left empty.');
  const password = field('Password', { type: 'password', autocomplete: 'new-password' }, 'At least 8 characters.');
  const shared = sharedField();
  return card(title, text && h('p', {}, text), form({
    fields: [user, name, password, shared], action, submit: async () => {
      const userId = user.input.value.trim();
      require(userIdFault(userId), user);
      if (name.input.value.trim()) require(nameFault(name.input.value, app.limits), name);
      require(passwordFault(password.input.value), password);
      const session = await send({
        userId, password: password.input.value, ...(name.input.value.trim() ? { name: name.input.value.trim() } : {}),
      });
      app.signedIn({ ...session, isShared: shared.input.checked });
    },
  }), backLink());
}

/** A new password by a link. */
export function resetScreen(app, token) {
  const password = field('New password', { type: 'password', autocomplete: 'new-password', autofocus: true }, 'At least 8 characters.');
  const shared = sharedField();
  return card('Choose a new password', form({
    fields: [password, shared], action: 'Set', submit: async () => {
      require(passwordFault(password.input.value), password);
      const { data } = await app.api.post('/api/reset', { token, password: password.input.value });
      app.signedIn({ ...data, isShared: shared.input.checked });
    },
  }), backLink());
}

const backLink = () => h('p', {}, h('a', { href: '#/sign-in' }, 'To the sign-in'));
