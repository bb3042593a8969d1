// OpenID Connect: to the provider with PKCE, and back with a code that the server exchanges.

import { load, passing, save } from '../lib/storage.js';
import { randomHex } from '../lib/ids.js';

const key = 'crowbar.oidc';
const ownAddress = () => location.origin + location.pathname;

/** Goes to the provider. */
export async function beginOidc({ authorize, clientId, scopes }) {
  const kept = { verifier: randomHex(32), state: randomHex(16), nonce: randomHex(16) };
  save(passing, key, kept);
  const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(kept.verifier));
  const challenge = btoa(String.fromCharCode(...new Uint8Array(digest)))
    .replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
  const url = new URL(authorize);
  for (const [name, value] of Object.entries({
    response_type: 'code', client_id: clientId, scope: scopes, redirect_uri: ownAddress(), state: kept.state,
    nonce: kept.nonce, code_challenge: challenge, code_challenge_method: 'S256',
  })) url.searchParams.set(name, value);
  location.assign(url);
}

/** The session of a return from the provider, or undefined if this is none. Throws what the provider says. */
export async function finishOidc(api) {
  const parameters = new URLSearchParams(location.search);
  if (!parameters.has('state') || !(parameters.has('code') || parameters.has('error'))) return undefined;
  const kept = load(passing, key);
  save(passing, key, undefined);
  history.replaceState(null, '', ownAddress() + location.hash);
  if (parameters.get('state') !== kept?.state) throw new Error('The sign-in was begun elsewhere. Try again.');
  if (parameters.has('error')) {
    throw new Error(`The provider refused: ${parameters.get('error_description') ?? parameters.get('error')}`);
  }
  const { data } = await api.post('/api/oidc', {
    code: parameters.get('code'), verifier: kept.verifier, nonce: kept.nonce, redirectUri: ownAddress(),
  });
  return data;
}
