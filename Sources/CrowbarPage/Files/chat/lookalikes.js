// Which names readers could take for each other.

import { folded } from '../data/mentions.js';

/** Characters that look the same: Cyrillic and Greek letters, and digits, that pass for Latin ones. */
const alike = new Map(Object.entries({
  а: 'a', е: 'e', о: 'o', р: 'p', с: 'c', у: 'y', х: 'x', і: 'i', ѕ: 's', ј: 'j', ԁ: 'd', һ: 'h', ո: 'n', ѵ: 'v', к: 'k',
  м: 'm', т: 't', в: 'b', н: 'h', α: 'a', ε: 'e', ο: 'o', ρ: 'p', ν: 'v', κ: 'k', τ: 't', ι: 'i', υ: 'u', 0: 'o', 1: 'l', i: 'l',
}));

/** The same for names that readers could take for each other. */
export function skeleton(name) {
  const plain = folded(name).normalize('NFD').replace(/[\p{M}\p{Cf}\s]/gu, '');
  return Array.from(plain, (character) => alike.get(character) ?? character).join('');
}

/** The ids of members whose names look like another member's. */
export function lookalikes(members) {
  const bySkeleton = new Map();
  for (const [id, name] of members) {
    const key = skeleton(name);
    bySkeleton.set(key, [...bySkeleton.get(key) ?? [], id]);
  }
  return new Set([...bySkeleton.values()].filter((ids) => ids.length > 1).flat());
}
