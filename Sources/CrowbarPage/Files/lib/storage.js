// localStorage or sessionStorage, or memory where the browser refuses both.

class MemoryStorage {
  #items = new Map();
  getItem(key) { return this.#items.get(key) ?? null; }
  setItem(key, value) { this.#items.set(key, String(value)); }
  removeItem(key) { this.#items.delete(key); }
  key(index) { return [...this.#items.keys()][index] ?? null; }
  get length() { return this.#items.size; }
}

function open(name) {
  try {
    const storage = window[name];
    storage.setItem('crowbar.probe', '1');
    storage.removeItem('crowbar.probe');
    return storage;
  } catch {
    return new MemoryStorage();
  }
}

/** Survives the browser, and is common to all tabs. */
export const lasting = open('localStorage');
/** Belongs to one tab. */
export const passing = open('sessionStorage');

/** The value under a key, from JSON; undefined if there is none or it is broken. */
export function load(storage, key) {
  try {
    return JSON.parse(storage.getItem(key) ?? 'null') ?? undefined;
  } catch {
    return undefined;
  }
}

/** Stores a value as JSON; undefined removes it. A full storage loses it. */
export function save(storage, key, value) {
  try {
    if (value === undefined) storage.removeItem(key);
    else storage.setItem(key, JSON.stringify(value));
  } catch {
    // Storage is full. What is stored here is a convenience.
  }
}

/** The keys that begin with a prefix. */
export function keysOf(storage, prefix) {
  const keys = [];
  for (let index = 0; index < storage.length; index += 1) {
    const key = storage.key(index);
    if (key?.startsWith(prefix)) keys.push(key);
  }
  return keys;
}
