// Completion of `@name`, `#channel` and `/command` by keyboard, as a listbox below the text field.

import { h, keyed, newId } from '../lib/h.js';
import { folded } from '../data/mentions.js';
import { commandList } from './commands.js';
import { visible } from './names.js';

const most = 8;

export class Completion {
  #input;
  #model;
  #channel;
  #options = [];
  #at = 0;
  #start = 0;

  constructor(input, model, channel) {
    this.#input = input;
    this.#model = model;
    this.#channel = channel;
    this.id = newId();
    this.node = h('ul', { class: 'completion', role: 'listbox', id: this.id, 'aria-label': 'Completions', hidden: true });
    for (const [name, value] of Object.entries({
      'aria-autocomplete': 'list', 'aria-controls': this.id, 'aria-haspopup': 'listbox',
    })) input.setAttribute(name, value);
    input.addEventListener('blur', () => setTimeout(() => this.close(), 150));
  }

  /** Shows what fits the word before the caret. */
  update() {
    const before = this.#input.value.slice(0, this.#input.selectionStart);
    const match = /(^|\s)([@#])([^\s@#]{0,40})$/.exec(before) ?? /^()(\/)([a-z]*)$/.exec(before);
    if (!match) {
      this.close();
      return;
    }
    this.#start = before.length - match[3].length - 1;
    this.#options = this.#find(match[2], folded(match[3])).slice(0, most);
    this.#at = 0;
    this.#show();
  }

  close() {
    this.#options = [];
    this.#show();
  }

  /** Handles a key while options are shown. Gives whether it did. */
  key(event) {
    if (!this.#options.length) return false;
    const count = this.#options.length;
    if (event.key === 'ArrowDown') this.#at = (this.#at + 1) % count;
    else if (event.key === 'ArrowUp') this.#at = (this.#at + count - 1) % count;
    else if (event.key === 'Escape') this.#options = [];
    else if (event.key === 'Tab' || (event.key === 'Enter' && !event.shiftKey)) {
      if (!this.#take(this.#options[this.#at], event.key)) return false;
    } else return false;
    event.preventDefault();
    this.#show();
    return true;
  }

  #find(sign, word) {
    const { state } = this.#model;
    const matches = (options) => options.filter(({ keys }) => keys.some((key) => folded(key).startsWith(word)))
      .sort((a, b) => (a.text < b.text ? -1 : 1));
    if (sign === '/') return matches(commandList.map(({ name, usage }) => ({ text: `/${name} `, label: usage, keys: [name] })));
    if (sign === '#') {
      return matches([...state.channels.values()].map((channel) => ({
        text: `#${channel.id} `, label: channel.name === channel.id ? `#${channel.id}` : `#${channel.id} – ${channel.name}`,
        keys: [channel.id, channel.name],
      })));
    }
    return matches([...state.members.get(this.#channel) ?? []].filter((id) => id !== this.#model.me).map((id) => {
      const name = this.#model.nameOf(id);
      return { text: `@${name} `, label: name === id ? name : `${name} – ${id}`, keys: [id, name] };
    }));
  }

  /** Puts an option in place of the word. Gives whether it changed the text. */
  #take(option, key) {
    const { value, selectionStart } = this.#input;
    // A command that is typed in full is sent by Enter.
    if (key === 'Enter' && value.slice(this.#start, selectionStart).trim() === option.text.trim()) return false;
    this.#input.value = value.slice(0, this.#start) + option.text + value.slice(selectionStart).replace(/^ /, '');
    const caret = this.#start + option.text.length;
    this.#input.setSelectionRange(caret, caret);
    this.#options = [];
    this.#input.dispatchEvent(new Event('input'));
    return true;
  }

  #show() {
    this.node.hidden = this.#options.length === 0;
    const rows = this.#options.map((option, index) => ({ option, isChosen: index === this.#at, index }));
    keyed(this.node, rows, (row) => row.option.text, ({ option, isChosen, index }) => h('li', {
      role: 'option', id: `${this.id}-${index}`, class: isChosen ? 'option option-chosen' : 'option',
      'aria-selected': isChosen ? 'true' : 'false',
      onpointerdown: (event) => {
        event.preventDefault();
        this.#take(option);
        this.#show();
      },
    }, h('bdi', {}, visible(option.label))), () => false);
    if (this.#options.length) this.#input.setAttribute('aria-activedescendant', `${this.id}-${this.#at}`);
    else this.#input.removeAttribute('aria-activedescendant');
  }
}
