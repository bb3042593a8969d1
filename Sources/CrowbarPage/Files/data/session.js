// Who is signed in. In localStorage, so that a link opened in a new tab is signed in and signing out reaches all tabs;
// in sessionStorage on a shared computer.

import { keysOf, lasting, load, passing, save } from '../lib/storage.js';

const key = 'crowbar.session';

/** The session {token, userId, name, role, expires?, isShared?}, or undefined. */
export function currentSession() {
  return load(passing, key) ?? load(lasting, key);
}

/** Keeps a session. */
export function keepSession(session) {
  save(session.isShared ? passing : lasting, key, session);
}

/** Forgets the session; unless `keepTexts`, drafts and unsent messages with it. */
export function dropSession({ keepTexts = false } = {}) {
  for (const storage of [passing, lasting]) {
    const prefixes = keepTexts ? [key] : [key, 'crowbar.draft.', 'crowbar.outbox.'];
    for (const stored of prefixes.flatMap((prefix) => keysOf(storage, prefix))) storage.removeItem(stored);
  }
}

/** The storage in which a session keeps its drafts and unsent messages. */
export const storageOf = (session) => (session?.isShared ? passing : lasting);

/** Calls `listener` when another tab signs in or out. */
export function onSessionChange(listener) {
  addEventListener('storage', (event) => {
    if (event.key === key || event.key === null) listener(currentSession());
  });
}
