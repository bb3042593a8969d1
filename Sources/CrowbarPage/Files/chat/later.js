// What the chat needs only when messages are on the screen already. Loaded as soon as they are, so that it is there when
// the server is not.

import { addStyles } from '../lib/screen.js';

export { announce, announceMessage } from '../lib/announcer.js';
export { channelsDialog } from './channels-dialog.js';
export { Commands } from './commands.js';
export { Composer } from './composer.js';
export { confirmDialog, openDialog, openMenu } from '../lib/dialog.js';
export { ConnectionBar } from './connection-bar.js';
export { departure } from './departure.js';
export { headerMenu } from './header-menu.js';
export { listKey } from './list-keys.js';
export { lookalikes } from './lookalikes.js';
export { Members } from './members.js';
export { Notifier } from './notifier.js';
export { openSwitcher } from './switcher.js';
export { Outbox } from '../data/outbox.js';
export { ReadMarkers } from '../data/read-markers.js';
export { rowActions } from './message-actions.js';
export { loadMembers, loadQuote } from '../data/more-views.js';
export { SearchView } from './search-view.js';
export { SeenRows } from './seen-rows.js';
export { SettingsView } from '../account/settings-view.js';

/** The styles of all this. */
export const styled = addStyles(new URL('../later.css', import.meta.url).href);
