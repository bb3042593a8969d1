// Forms: labelled fields, one place for what is wrong, and a button that waits.

import { fill, h, newId } from './h.js';
import { visible } from './visible.js';

/** A labelled field. `hint` is shown below it and belongs to it. Gives {node, input}. */
export function field(label, props = {}, hint) {
  const id = newId();
  const input = h(props.rows ? 'textarea' : 'input', {
    id, class: 'input', autocomplete: 'off', 'aria-describedby': hint ? `${id}-hint` : undefined, ...props,
  });
  const node = h('div', { class: 'field' },
    h('label', { for: id }, label), input, hint && h('p', { id: `${id}-hint`, class: 'hint' }, hint));
  return { node, input };
}

/** A labelled checkbox. Gives {node, input}. */
export function check(label, props = {}) {
  const input = h('input', { type: 'checkbox', ...props });
  return { node: h('label', { class: 'check' }, input, h('span', {}, label)), input };
}

/** A labelled list of which one is chosen. `options` are pairs of a value and a label. Gives {node, input}. */
export function choice(label, options, hint) {
  const id = newId();
  const input = h('select', { id, class: 'input', 'aria-describedby': hint ? `${id}-hint` : undefined },
    options.map(([value, text]) => h('option', { value }, text)));
  return { node: h('div', { class: 'field' }, h('label', { for: id }, label), input, hint && h('p', { id: `${id}-hint`, class: 'hint' }, hint)), input };
}

/** A form. `submit()` does the work; what it throws is shown, and the field that it names gets the focus. */
export function form({ fields, action, submit, extra, danger = false }) {
  const fault = h('p', { class: 'fault', role: 'alert' });
  const send = h('button', { type: 'submit', class: danger ? 'button button-danger' : 'button button-main' }, action);
  return h('form', {
    class: 'stack', novalidate: true,
    onsubmit: async (event) => {
      event.preventDefault();
      fill(fault);
      send.disabled = true;
      try {
        await submit();
      } catch (error) {
        fill(fault, visible(error.message));
        (error.input ?? fields[0]?.input)?.focus();
      } finally {
        send.disabled = false;
      }
    },
  }, fields.map((one) => one.node), fault, h('div', { class: 'buttons' }, extra, send));
}

/** Throws what is wrong with a field. */
export function require(fault, { input }) {
  if (fault) throw Object.assign(new Error(fault), { input });
}
