// What was typed and not sent, by channel.

import { load, save } from '../lib/storage.js';
import { storageOf } from './session.js';

const keyOf = (session, channel) => `crowbar.draft.${session.userId}/${channel}`;

export const draftOf = (session, channel) => load(storageOf(session), keyOf(session, channel)) ?? '';
export const keepDraft = (session, channel, text) => save(
  storageOf(session), keyOf(session, channel), text || undefined);
