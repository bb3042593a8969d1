// The keyboard in the list of messages: arrows, Home and End move; Enter and the menu key open the row's menu.

/** Handles a key in a row. `openMenu(row)` opens the menu of a row. */
export function listKey(event, list, openMenu) {
  const row = event.target.closest('.row');
  if (!row || event.altKey || event.ctrlKey || event.metaKey) return;
  if ((event.key === 'Enter' && event.target === row) || event.key === 'ContextMenu'
    || (event.key === 'F10' && event.shiftKey)) {
    openMenu(row);
  } else {
    const rows = [...list.querySelectorAll('.row')];
    const at = rows.indexOf(row);
    const next = { ArrowUp: at - 1, ArrowDown: at + 1, Home: 0, End: rows.length - 1 }[event.key];
    if (next === undefined) return;
    rows[Math.min(rows.length - 1, Math.max(0, next))].focus();
  }
  event.preventDefault();
}
