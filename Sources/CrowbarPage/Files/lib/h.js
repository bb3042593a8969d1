// Builds and updates DOM nodes. Text is only ever set as text, never as HTML.

import { FocusPlace } from './focus.js';

const svgTags = new Set(['svg', 'path', 'circle', 'rect', 'line', 'polyline', 'g']);
const properties = new Set(['value', 'checked', 'disabled', 'hidden', 'textContent', 'open', 'selected', 'tabIndex']);

/**
 * Makes an element.
 * `props`: `onclick` and the like are listeners, those of `properties` are set as properties, all others as attributes.
 * A value of undefined, null or false leaves the attribute out. Children are nodes, texts, or arrays of them.
 */
export function h(tag, props, ...children) {
  const node = svgTags.has(tag)
    ? document.createElementNS('http://www.w3.org/2000/svg', tag) : document.createElement(tag);
  for (const [name, value] of Object.entries(props ?? {})) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith('on')) node.addEventListener(name.slice(2), value);
    else if (properties.has(name)) node[name] = value;
    else node.setAttribute(name, value === true ? '' : value);
  }
  append(node, children);
  return node;
}

function append(node, children) {
  for (const child of children) {
    if (child === undefined || child === null || child === false) continue;
    if (Array.isArray(child)) append(node, child);
    else node.append(child instanceof Node ? child : String(child));
  }
}

/** Replaces the children of a node. */
export function fill(node, ...children) {
  node.replaceChildren();
  append(node, children);
  return node;
}

const keys = new WeakMap();
const values = new WeakMap();

/**
 * Makes the children of `parent` match `items`, moving and reusing nodes by key.
 * `create(item)` gives a node; it is called again only if `same(old, item)` is false. The focus stays where it is, also in a
 * node that is made again, or goes to what is around `parent` if its element is gone.
 */
export function keyed(parent, items, key, create, same = (a, b) => a === b) {
  const origin = parent.contains(document.activeElement) ? new FocusPlace() : undefined;
  const wanted = new Set(items.map(key));
  const old = new Map();
  // What goes is removed first: else all nodes behind it would be moved, and a moved node loses the focus.
  for (const node of [...parent.children]) {
    if (wanted.has(keys.get(node))) old.set(keys.get(node), node);
    else node.remove();
  }
  let next = parent.firstElementChild;
  let focus;
  for (const item of items) {
    const name = key(item);
    let node = old.get(name);
    if (!node || !same(values.get(node), item)) {
      const fresh = create(item, node);
      if (node && node !== fresh) {
        const at = focusable(node).indexOf(document.activeElement);
        if (at >= 0) focus = focusable(fresh)[at];
        if (node === next) next = node.nextElementSibling;
        node.remove();
      }
      node = fresh;
      keys.set(node, name);
    }
    values.set(node, item);
    if (node === next) next = node.nextElementSibling;
    else parent.insertBefore(node, next);
  }
  focus?.focus({ preventScroll: true });
  origin?.restore();
}

const focusable = (node) => [...node.querySelectorAll('a, button, input, select, textarea, summary')];

/** An icon of 20 × 20 from the data of one path. The button around it has the name. */
export function icon(path) {
  return h('svg', { viewBox: '0 0 20 20', class: 'icon', 'aria-hidden': 'true' },
    h('path', {
      d: path, fill: 'none', stroke: 'currentColor', 'stroke-width': '1.6', 'stroke-linecap': 'round',
      'stroke-linejoin': 'round',
    }));
}

/** A button. `label` is its accessible name where its content is an icon. */
export function button(props, ...children) {
  const { label, ...rest } = props;
  return h('button', { type: 'button', 'aria-label': label, title: label, ...rest }, ...children);
}

let lastId = 0;
/** An id for `for` and `aria-labelledby`. */
export const newId = () => `n${(lastId += 1)}`;
