// The sign-in.

import { button, h } from '../lib/h.js';
import { card } from '../chat/notice.js';
import { check, field, form, require } from '../lib/form.js';

export const sharedField = () => check('This is a shared computer: sign me out when the tab closes');

/** The sign-in screen. `reason` says why it is shown. */
export function signInScreen(app, reason) {
  const { about } = app;
  const hasPasswords = about.passwords;
  return card('Sign in',
    reason && h('p', { class: 'note', role: 'status' }, reason),
    about.setup && h('p', { class: 'note' },
      'Nobody administers this server yet. Open the setup link that the server printed when it started, or run “crowbar setup-link”.'),
    about.oidc && oidcButton(app),
    hasPasswords && passwordForm(app),
    tokenDetails(app, !hasPasswords && !about.oidc),
    reason && about.oidc?.endSession && providerSignOut(about.oidc),
    registrationLine(about),
    about.anonymousRead && h('p', {}, h('a', { href: '#/' }, 'Read without an account')));
}

/** The way to the provider's sign-out. Cognito needs both parameters, and others ignore what they do not know. */
function providerSignOut({ endSession, clientId, label }) {
  const url = new URL(endSession);
  url.searchParams.set('client_id', clientId);
  url.searchParams.set('logout_uri', location.origin + location.pathname);
  return h('p', {}, h('a', { href: url.href }, `Sign out of ${label || 'the provider'} too`));
}

function registrationLine(about) {
  if (about.registration === 'open') return h('p', {}, 'No account yet? ', h('a', { href: '#/register' }, 'Create one'));
  if (about.registration === 'invite') return h('p', { class: 'muted' }, 'To create an account you need an invitation link.');
  return h('p', { class: 'muted' }, 'New accounts are made by an administrator.');
}

function passwordForm(app) {
  const user = field('User id', { autocomplete: 'username', spellcheck: 'false', autocapitalize: 'none', autofocus: true });
  const password = field('Password', { type: 'password', autocomplete: 'current-password' });
  const shared = sharedField();
  return form({
    fields: [user, password, shared], action: 'Sign in', submit: async () => {
      require(user.input.value.trim() ? undefined : 'Enter your user id.', user);
      require(password.input.value ? undefined : 'Enter your password.', password);
      const { data } = await app.api.post('/api/login', { userId: user.input.value.trim(), password: password.input.value });
      app.signedIn({ ...data, isShared: shared.input.checked });
    },
  });
}

function tokenDetails(app, open) {
  const details = h('details', {
    class: 'creation', open,
    ontoggle: async () => {
      if (details.open && details.children.length === 1) details.append((await import('./forms.js')).tokenForm(app));
    },
  }, h('summary', {}, 'Sign in with a token'));
  return details;
}

function oidcButton(app) {
  const fault = globalThis.crypto?.subtle ? undefined
    : 'Browsers allow this only on https and on localhost. Open this page by https.';
  return h('div', { class: 'stack' },
    button({
      class: 'button button-main button-wide', disabled: Boolean(fault), onclick: async () => (await import('./oidc.js')).beginOidc(app.about.oidc),
    }, app.about.oidc.label || 'Sign in with your organisation'),
    fault && h('p', { class: 'hint' }, fault));
}
