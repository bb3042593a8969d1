// The frame of a screen beside the channels, and its styles.

import { button, h, icon } from './h.js';
import { icons } from './icons.js';

/** A screen with a title and a button that closes it. `title` is a text or nodes, `name` says what is closed. */
export function screen(app, title, name, body) {
  return h('main', { class: 'channel-main', id: 'main', tabindex: '-1' },
    h('header', { class: 'head' },
      button({ class: 'icon-button only-narrow', label: 'Channels', onclick: () => app.showSidebar() }, icon(icons.menu)),
      h('div', { class: 'head-title' }, h('h1', { class: 'head-name' }, title)),
      button({ class: 'icon-button', label: `Close ${name}`, onclick: () => app.go('#/') }, icon(icons.close))),
    body);
}

/** Adds a style sheet. The promise resolves when it applies. */
export function addStyles(href) {
  return new Promise((resolve) => {
    document.head.append(h('link', { rel: 'stylesheet', href, onload: resolve, onerror: resolve }));
  });
}
