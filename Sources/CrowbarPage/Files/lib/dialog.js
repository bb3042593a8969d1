// Dialogs and menus. The browser's own <dialog> keeps the focus inside, closes on Escape and gives the focus back to an element that
// is still there.

import { FocusPlace } from './focus.js';
import { button, h, icon, newId } from './h.js';
import { icons } from './icons.js';
import { visible } from './visible.js';

/** Opens a dialog. Titles may have the names of other people. `content(close)` gives its content. The promise gives what `close` was called with. */
export function openDialog(title, content, { wide = false } = {}) {
  return new Promise((resolve) => {
    const id = newId();
    let result;
    const origin = new FocusPlace();
    const close = (value) => {
      result = value;
      dialog.close();
    };
    const dialog = h('dialog', {
      class: wide ? 'dialog dialog-wide' : 'dialog', 'aria-labelledby': id,
      onclose: () => {
        dialog.remove();
        origin.restore();
        resolve(result);
      },
      onclick: (event) => { if (event.target === dialog) dialog.close(); },
    },
    h('div', { class: 'dialog-body' },
      h('header', { class: 'dialog-head' },
        h('h2', { id }, visible(title)),
        button({ class: 'icon-button', label: 'Close', onclick: () => dialog.close() }, icon(icons.close))),
      content(close)));
    document.body.append(dialog);
    dialog.showModal();
    dialog.querySelector('[autofocus]')?.focus();
  });
}

/** Asks before something is done that cannot be undone, or to many things. Gives whether to do it. */
export async function confirmDialog(title, text, action, { isDanger = true } = {}) {
  return await openDialog(title, (close) => h('div', { class: 'stack' },
    h('div', { class: 'dialog-text' }, typeof text === 'string' ? visible(text) : text),
    h('div', { class: 'buttons' },
      button({ class: 'button', autofocus: true, onclick: () => close(false) }, 'Cancel'),
      button({ class: isDanger ? 'button button-danger' : 'button button-main', onclick: () => close(true) }, action)))) === true;
}

/** Opens a menu at an element or a point. `items` are {label, action, isDanger?}; false ones are left out. */
export function openMenu(anchor, items, { x, y } = {}) {
  document.querySelector('.menu')?.remove();
  const origin = new FocusPlace();
  const entries = items.filter(Boolean);
  const close = (giveBack = true) => {
    menu.remove();
    removeEventListener('pointerdown', outside, true);
    removeEventListener('blur', away);
    if (giveBack) origin.restore();
  };
  const outside = (event) => { if (!menu.contains(event.target)) close(false); };
  const away = () => close(false);
  const menu = h('div', { class: 'menu', role: 'menu', 'aria-label': 'Actions', onkeydown: (event) => keys(event) },
    entries.map((item) => h('button', {
      type: 'button', role: 'menuitem', tabindex: '-1', class: item.isDanger ? 'menu-item danger' : 'menu-item',
      onclick: () => {
        close();
        item.action();
      },
    }, h('bdi', {}, visible(item.label)))));
  const nodes = [...menu.children];
  const keys = (event) => {
    const at = nodes.indexOf(document.activeElement);
    const next = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: nodes.length - 1 }[event.key];
    if (event.key === 'Escape' || event.key === 'Tab') close();
    else if (next !== undefined) nodes[(next + nodes.length) % nodes.length].focus();
    else return;
    event.preventDefault();
    event.stopPropagation();
  };
  // In the landmark of what it belongs to.
  (anchor.closest('main, nav, aside') ?? document.body).append(menu);
  place(menu, anchor, x, y);
  nodes[0]?.focus();
  addEventListener('pointerdown', outside, true);
  addEventListener('blur', away);
  return close;
}

function place(menu, anchor, x, y) {
  const box = anchor.getBoundingClientRect();
  const size = menu.getBoundingClientRect();
  const left = Math.min(x ?? box.right - size.width, innerWidth - size.width - 8);
  const below = y ?? box.bottom + 4;
  const top = below + size.height > innerHeight - 8 ? Math.max(8, (y ?? box.top - 4) - size.height) : below;
  menu.style.left = `${Math.max(8, left)}px`;
  menu.style.top = `${top}px`;
}
