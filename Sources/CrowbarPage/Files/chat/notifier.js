// Unread counts in the title and the icon, and desktop notifications for mentions.

import { lasting, load } from '../lib/storage.js';
import { mentionsIn, NameIndex } from '../data/mentions.js';
import { Endings } from '../lib/emitter.js';
import { plainText } from '../lib/markdown.js';

export const notificationsKey = 'crowbar.notifications';

export class Notifier {
  #app;
  #ends = new Endings();

  constructor(app) {
    this.#app = app;
    this.#ends.add(app.model.on('unread', () => this.#title()), app.model.on('message', (event) => this.#message(event)));
    this.#title();
  }

  stop() {
    this.#ends.run();
    show('Crowbar', false);
  }

  #title() {
    const { unread, mentions } = this.#app.model.unread.total;
    show(mentions ? `(${mentions}) Crowbar` : unread ? '• Crowbar' : 'Crowbar', unread > 0);
  }

  #message(event) {
    const { model } = this.#app;
    if (!load(lasting, notificationsKey) || !('Notification' in window) || Notification.permission !== 'granted') return;
    if (event.userId === model.me || (document.hasFocus() && !document.hidden)) return;
    if (!mentionsIn(event.message, new NameIndex([[model.me, model.nameOf(model.me)]])).length) return;
    const channel = model.state.channels.get(event.channelId);
    // One notification for a message, however many tabs there are.
    let shown;
    try {
      shown = new Notification(`${model.nameOf(event.userId, event.userName)} in ${channel?.name ?? event.channelId}`, {
        body: plainText(event.message.slice(0, 200)), tag: event.eventId,
      });
    } catch {
      // Browsers of phones allow it to service workers only.
      return;
    }
    shown.onclick = () => {
      focus();
      this.#app.go(`#/c/${encodeURIComponent(event.channelId)}/m/${encodeURIComponent(event.eventId)}`);
    };
  }
}

function show(title, hasUnread) {
  document.title = title;
  const link = document.getElementById('icon');
  const href = link.href.replace(/icon(-unread)?\.svg$/, hasUnread ? 'icon-unread.svg' : 'icon.svg');
  if (link.href !== href) link.href = href;
}
