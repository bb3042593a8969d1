// What a screen reader says: one hidden live region for the whole page.

import { plainText } from './markdown.js';
import { visible } from './visible.js';

const region = () => document.getElementById('announcer');
const within = 2000;
const spoken = 3;

let waiting = [];
let timer;

/** Says a text. */
export function announce(text) {
  // The same text twice would not be said again.
  const node = region();
  const shown = visible(text);
  node.textContent = node.textContent === shown ? `${shown}\u00A0` : shown;
}

/** Says a new message: up to three within two seconds as they are, more of them as a number. */
export function announceMessage(author, text, channel) {
  waiting.push({ author, text, channel });
  timer ??= setTimeout(() => {
    const messages = waiting;
    waiting = [];
    timer = undefined;
    if (messages.length <= spoken) announce(messages.map((one) => `${one.author}: ${plainText(one.text).slice(0, 300)}`).join('. '));
    else announce(`${messages.length} new messages in ${messages.at(-1).channel}`);
  }, within);
}
