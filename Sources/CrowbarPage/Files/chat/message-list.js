// The list of messages of one channel: a bounded number of rows, pages that enter and leave at both ends, and one row
// that stays where it is meanwhile.

import { button, h, keyed } from '../lib/h.js';
import { firstUnread, rowsOf, sameRow } from './rows.js';
import { rowNode } from './message-row.js';

const mostRows = 400;
const pageRows = 100;
/** Rows that are made first; more enter at once where they do not fill the list. */
const firstRows = 60;
/** Pixels from an end of the list within which the next page enters. */
const near = 700;

export class MessageList {
  #app;
  #model;
  #id;
  #on;
  /** Positions of the first and the last message that are shown; the last is Infinity at the end of the channel. */
  #from = Infinity;
  #to = Infinity;
  #isAtEnd = true;
  #newFrom;
  #missed = 0;
  #active;
  #hovered = null;
  #context = {};
  #alike = new Set();
  #lookalikes = () => new Set();
  #seen;
  #isBusy = false;
  #lastTop = 0;
  #isHeld = false;
  #loadQuote;

  /** `on`: `actions()` and `canWrite()` for the rows, `jump(eventId)`, and `failed(error)` for a page that does not load. */
  constructor(app, id, on) {
    this.#app = app;
    this.#model = app.model;
    this.#id = id;
    this.#on = on;
    this.list = h('div', {
      class: 'messages', role: 'log', 'aria-live': 'off', 'aria-label': `Messages in ${id}`,
      onscroll: () => this.#scrolled(),
      onfocusin: (event) => this.#activate(event.target.closest('.row')),
      oncontextmenu: (event) => this.#contextMenu(event),
      // Only one row has buttons: those of 400 rows cost more than all the rest of them.
      onpointerover: (event) => this.#hover(event.target.closest('.row')), onpointerleave: () => this.#hover(null),
    });
    this.jump = button({ class: 'jump', hidden: true, onclick: () => this.toEnd() });
    this.node = h('div', { class: 'messages-frame' }, this.list, this.jump);
    this.observer = new ResizeObserver(() => { if (this.#isAtEnd) this.#stick(); });
    this.observer.observe(this.list);
  }

  get #window() { return this.#model.state.messages.get(this.#id); }
  get #messages() { return this.#window?.list ?? []; }

  /** Adds what is loaded behind the first screen: keys, read markers, actions. */
  complete({ listKey, loadQuote, lookalikes, SeenRows }) {
    this.#loadQuote = loadQuote;
    this.#lookalikes = lookalikes;
    this.list.addEventListener('keydown', (event) => listKey(event, this.list, (row) => this.#menu(row)));
    this.#seen = new SeenRows(this.list, (row) => this.#markRead(row));
    this.namesChanged();
  }

  stop() {
    this.#seen?.stop();
    this.observer.disconnect();
  }

  /** Shows what was loaded for the first time: from the first unread message, or at the end. */
  show() {
    this.#newFrom = firstUnread(this.#messages, this.#model.unread.of(this.#id), this.#model.me);
    const unread = this.#newFrom === undefined ? -1 : this.#messages.findIndex((message) => message.eventId === this.#newFrom);
    this.#showEnd(unread >= 0 && unread < this.#messages.length - firstRows ? pageRows : firstRows);
    this.render();
    this.#stick();
    const divider = this.list.querySelector('.divider-new');
    if (divider && divider.offsetTop < this.list.scrollTop) {
      this.list.scrollTop = divider.offsetTop - 40;
      this.#isAtEnd = false;
    }
  }

  /** Shows the messages around an event and gives the focus to its row. */
  async showEvent(eventId) {
    if (!this.#messages.some((message) => message.eventId === eventId)) {
      await this.#model.loadAround(this.#id, eventId);
    }
    const index = this.#messages.findIndex((message) => message.eventId === eventId);
    if (index < 0) return false;
    this.#isAtEnd = false;
    this.#setSlice(index - pageRows, index + pageRows);
    this.render();
    const row = this.list.querySelector(`[data-event="${CSS.escape(eventId)}"]`);
    row.scrollIntoView({ block: 'center' });
    row.classList.add('row-target');
    row.addEventListener('animationend', () => row.classList.remove('row-target'), { once: true });
    this.#activate(row);
    row.focus({ preventScroll: true });
    this.#scrolled();
    return true;
  }

  /** Goes to the newest message. */
  async toEnd() {
    try {
      if (this.#window?.newer) await this.#model.loadNewest(this.#id);
    } catch (error) {
      this.#on.failed(error);
      return;
    }
    this.#isAtEnd = true;
    this.#showEnd();
    this.render();
    this.#stick();
  }

  /** The names of members changed. */
  namesChanged() {
    const { state } = this.#model;
    const members = state.members.get(this.#id) ?? new Set();
    this.#alike = this.#lookalikes([...members].map((id) => [id, this.#model.nameOf(id)]));
    // Rows are made again only if something that they show is different.
    this.#context = {};
    this.render();
  }

  /** Starts the "new" divider at a message, and leaves what is on the screen unread. */
  setNewFrom(eventId) {
    this.#isHeld = true;
    this.#newFrom = eventId;
    this.render();
  }

  /** Notes a message that may be below what is shown. */
  arrived() {
    if (!this.#isAtEnd) this.#missed += 1;
    this.#showJump();
  }

  /** Makes the rows match the messages. The first visible row stays where it is. */
  render() {
    if (this.#isAtEnd) this.#model.trim(this.#id);
    const anchor = this.#isAtEnd ? undefined : this.#anchor();
    const [from, to] = this.#slice();
    const messages = this.#messages.slice(from, to);
    const isEnd = !this.#window?.newer && to === this.#messages.length;
    this.#app.outbox?.settle(this.#id, this.#messages);
    const known = new Set(this.#messages.map((message) => message.eventId));
    const pending = isEnd && this.#on.actions() ? (this.#app.outbox?.of(this.#id) ?? []).filter((entry) => !known.has(entry.eventId)) : [];
    const rows = rowsOf(messages, { newFrom: this.#newFrom, pending, context: this.#context, me: this.#model.me });
    const focused = this.list.contains(document.activeElement) ? this.#active : undefined;
    keyed(this.list, rows, (row) => row.key, (row) => this.#make(row), sameRow);
    this.#restoreFocus(rows, focused);
    if (anchor) this.#restore(anchor);
    else if (this.#isAtEnd) this.#stick();
    for (const { message } of rows) {
      if (message?.replyTo?.missing) this.#loadQuote?.(this.#model, this.#id, message).catch(() => {});
    }
    this.#showJump();
  }

  /** The message of a row, or undefined. */
  messageOf(row) {
    return this.#messages.find((message) => message.eventId === row?.dataset.event);
  }

  #make(row) {
    const node = rowNode(row, {
      model: this.#model, on: { ...this.#on, ...this.#on.actions() }, isAlike: (id) => this.#alike.has(id), canWrite: this.#on.canWrite(),
    });
    if (row.type === 'message') {
      // Only the active row, and what is in it, is a stop of the Tab key.
      setInnerFocus(node, '-1');
      if (row.message.userId !== this.#model.me) this.#seen?.observe(node);
    }
    return node;
  }

  // The slice

  #slice() {
    const list = this.#messages;
    let from = list.findIndex((message) => message.position >= this.#from);
    if (from < 0) from = Math.max(0, list.length - pageRows);
    let to = this.#to === Infinity ? list.length : list.findIndex((message) => message.position > this.#to);
    if (to < 0) to = list.length;
    if (to - from > mostRows) {
      if (this.#to === Infinity) from = to - mostRows;
      else to = from + mostRows;
    }
    return [from, to];
  }

  #setSlice(from, to) {
    const list = this.#messages;
    this.#from = list[Math.max(0, from)]?.position ?? Infinity;
    this.#to = to >= list.length ? Infinity : list[to - 1].position;
  }

  #showEnd(rows = pageRows) {
    this.#missed = 0;
    this.#setSlice(this.#messages.length - rows, this.#messages.length);
  }

  // Scrolling

  #scrolled() {
    const { scrollTop, scrollHeight, clientHeight } = this.list;
    const below = scrollHeight - scrollTop - clientHeight;
    const [, to] = this.#slice();
    const isEndShown = to === this.#messages.length && !this.#window?.newer;
    // A list that became lower, as when the message field grows, is still followed: nobody has scrolled up.
    const stays = this.#isAtEnd && isEndShown && scrollTop >= this.#lastTop;
    this.#isAtEnd = isEndShown && (below < 4 || stays);
    this.#lastTop = scrollTop;
    if (stays && below >= 4) this.#stick();
    if (this.#isAtEnd) {
      this.#missed = 0;
      this.#to = Infinity;
    }
    this.#showJump();
    if (scrollTop < near) this.#extend('older');
    else if (below < near) this.#extend('newer');
  }

  async #extend(direction) {
    if (this.#isBusy) return;
    const [from, to] = this.#slice();
    const isOlder = direction === 'older';
    const hasMore = isOlder ? from > 0 : to < this.#messages.length;
    if (!hasMore && !this.#window?.[direction]) return;
    this.#isBusy = true;
    try {
      const edge = (isOlder ? this.#messages[from] : this.#messages[to - 1])?.position;
      if (!hasMore) await this.#model.loadMore(this.#id, direction);
      const list = this.#messages;
      const at = list.findIndex((message) => message.position === edge);
      const length = Math.min(mostRows, to - from + pageRows);
      if (isOlder) this.#setSlice(at - pageRows, Math.max(0, at - pageRows) + length);
      else this.#setSlice(Math.max(0, Math.min(list.length, at + 1 + pageRows) - length), at + 1 + pageRows);
      this.render();
    } catch (error) {
      this.#on.failed(error);
      return;
    } finally {
      this.#isBusy = false;
    }
    // Short messages may not fill what is near the end.
    this.#scrolled();
  }

  #stick() { this.list.scrollTop = this.list.scrollHeight; }

  /** The first visible row and its distance from the top. */
  #anchor() {
    const top = this.list.getBoundingClientRect().top;
    for (const node of this.list.children) {
      const box = node.getBoundingClientRect();
      if (box.bottom > top && node.dataset.event) return { event: node.dataset.event, offset: box.top - top };
    }
    return undefined;
  }

  #restore({ event, offset }) {
    const node = this.list.querySelector(`[data-event="${CSS.escape(event)}"]`);
    if (!node) return;
    const moved = node.getBoundingClientRect().top - this.list.getBoundingClientRect().top - offset;
    if (moved) this.list.scrollTop += moved;
  }

  #showJump() {
    if (this.#isAtEnd && document.activeElement === this.jump) this.#active?.focus({ preventScroll: true });
    this.jump.hidden = this.#isAtEnd;
    this.jump.textContent = this.#missed ? `${this.#missed} new` : 'To the newest';
  }

  // Reading

  #markRead(row) {
    const message = this.messageOf(row);
    if (!message || this.#isHeld) return;
    const last = this.#window.newer ? undefined : this.#messages.findLast((one) => one.userId !== this.#model.me);
    this.#app.markers?.read(this.#id, message, message === last);
  }

  // Keyboard

  #activate(row) {
    if (!row || row === this.#active) return;
    if (this.#active) setInnerFocus(this.#active, '-1');
    this.#active = row;
    setInnerFocus(row, '0');
  }

  /** One row can always be reached by Tab. */
  #restoreFocus(rows, focused) {
    if (this.#active?.isConnected) return;
    const nodes = this.list.querySelectorAll('.row');
    const same = focused && this.list.querySelector(`[data-event="${CSS.escape(focused.dataset.event ?? '')}"]`);
    this.#active = undefined;
    this.#activate(same ?? nodes[nodes.length - 1]);
    if (focused) this.#active?.focus({ preventScroll: true });
  }

  #hover(row) {
    if (row === this.#hovered) return;
    this.#hovered?.querySelector('.row-actions')?.remove();
    this.#hovered = row;
    const message = row && this.#on.canWrite() && this.messageOf(row);
    if (message) row.append(this.#on.actions().toolbar(message));
  }

  #menu(row, point) {
    const message = this.messageOf(row);
    if (message) this.#on.actions()?.menu(message, row, point);
    return message !== undefined;
  }

  #contextMenu(event) {
    const row = event.target.closest('.row');
    // Links and selected text keep the browser's menu.
    if (!row || event.target.closest('a') || !getSelection().isCollapsed) return;
    if (this.#menu(row, { x: event.clientX, y: event.clientY })) event.preventDefault();
  }
}

/** Makes a row and what is in it reachable by Tab, or only by script. The actions are in the row's menu too. */
function setInnerFocus(row, value) {
  row.setAttribute('tabindex', value);
  for (const node of row.querySelectorAll('.row-body a, .row-body button, .row-body pre')) node.setAttribute('tabindex', value);
}
