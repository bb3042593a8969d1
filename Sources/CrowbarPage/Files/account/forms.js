// The forms that make a session in another way than by password: a token, a new account, the first start, a new password.

import { Api } from '../data/api.js';
import { card } from '../chat/notice.js';
import { sharedField } from './sign-in.js';
import { field, form, require } from '../lib/form.js';
import { h } from '../lib/h.js';
import { nameFault, passwordFault, userIdFault } from '../data/rules.js';

/** The form for a token that the command line or a session made. */
export function tokenForm(app) {
  const { about } = app;
  // Servers without accounts do not tell whose token it is.
  const user = about ? undefined : field('User id', { spellcheck: 'false', autocapitalize: 'none' });
  const token = field('Token', { type: 'password', spellcheck: 'false' }, 'An administrator makes one: crowbar token USER');
  const shared = sharedField();
  return form({
    fields: [...(user ? [user] : []), token, shared], action: 'Sign in', submit: async () => {
      if (user) require(user.input.value.trim() ? undefined : 'Enter your user id.', user);
      require(/^[\x21-\x7e]+$/.test(token.input.value.trim()) ? undefined : 'Enter a token.', token);
      await signIn(app, token.input.value.trim(), user?.input.value.trim(), shared.input.checked);
    },
  });
}

async function signIn(app, token, userId, isShared) {
  const api = new Api(app.api.base);
  api.token = token;
  if (app.about) {
    const { data } = await api.get('/api/me');
    app.signedIn({ ...data, token, isShared, kind: 'token' });
    return;
  }
  await api.get('/views/unread.json');
  // Only an admin's token opens this.
  const isAdmin = await api.get('/api/admin/plugins').then(() => true, () => false);
  app.signedIn({ token, userId, name: userId, role: isAdmin ? 'admin' : 'member', isShared, kind: 'token' });
}

/** Creates an account, with an invitation's token where there is one. */
export function registerScreen(app, invite) {
  const isClosed = app.about && (app.about.registration === 'closed' || (app.about.registration === 'invite' && !invite));
  if (isClosed) return card('Create an account', h('p', {}, 'This server accepts new accounts only by invitation.'), backLink());
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
