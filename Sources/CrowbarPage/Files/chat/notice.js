// A message in place of content: what is the case and what can be done.

import { h } from '../lib/h.js';
import { visible } from '../lib/visible.js';

/** A title, an explanation and what can be done. */
export function notice(title, text, ...actions) {
  return h('div', { class: 'notice', role: 'group', 'aria-label': title },
    h('h2', {}, visible(title)), text && h('p', {}, visible(text)), actions.length > 0 && h('div', { class: 'buttons' }, actions));
}

/** Grey bars while messages load. */
export function skeleton() {
  return h('div', { class: 'skeleton', role: 'group', 'aria-label': 'Loading' },
    Array.from({ length: 7 }, (_, index) => h('div', { class: `bar bar-${index % 3}` })));
}

/** A frame in the middle of the page. */
export function card(title, ...content) {
  return h('main', { class: 'card-page', id: 'main', tabindex: '-1' },
    h('div', { class: 'card' }, h('div', { class: 'brand brand-large' }, 'Crowbar'), h('h1', {}, title), content));
}
