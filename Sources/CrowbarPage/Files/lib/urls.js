// Finds URLs in text, by the rules of Sources/ChatMarkdown/URLScanner.swift.

const letter = /^[A-Za-z]$/;
const schemePart = /^[A-Za-z0-9+.-]$/;
const trimmed = new Set(['.', ',', ':', ';', '!', '?', "'", '(', '[', '{', '…', '’', '”', '»', '›']);
const opening = { ')': '(', ']': '[', '}': '{' };
const terminator = /^[\u0000-\u0020"<>\\`|\u007F-\u00A0\u200B\uFEFF\u3001\u3002\u3008-\u3011\uFF01-\uFF0F\uFF1A-\uFF20\uFF3B-\uFF40\uFF5B-\uFF65\s]/u;
const unspaced = /^[\u0E01-\u0EFF\u1000-\u109F\u1780-\u17FF\u3005-\u3007\u3041-\u30FF\u31F0-\u31FF\u3400-\u4DBF\u4E00-\u9FFF\uF900-\uFAFF\uFF66-\uFF9F\u{20000}-\u{3FFFF}]/u;
const isMark = (sign) => sign === '*' || sign === '_' || sign === '~';

/** Whether a character is part of a word: a letter or a digit. */
export const isWord = (character) => character !== undefined && /^[\p{Alphabetic}\p{N}]/u.test(character);

/** Whether a text may contain a URL. */
export const mayContainUrl = (text) => text.includes('://') || /www\./i.test(text);

/** Where a URL that begins at `start` ends; `start` if none begins there. `text` is an array of characters. */
export function urlEnd(text, start, closes = () => false) {
  const before = text[start - 1];
  if (!letter.test(text[start]) || (isWord(before) && !unspaced.test(before))) return start;
  const body = schemeEnd(text, start) ?? wwwEnd(text, start);
  if (body === undefined || body >= text.length) return start;
  if (text[body] !== '[' && (trimmed.has(text[body]) || isMark(text[body]))) return start;
  let end = body;
  const open = { '(': 0, '[': 0, '{': 0 };
  while (end < text.length && !terminator.test(text[end])) {
    const sign = text[end];
    if (sign in open) open[sign] += 1;
    if (sign in opening) {
      if (open[opening[sign]] === 0) break;
      open[opening[sign]] -= 1;
    }
    end += 1;
  }
  while (end > body) {
    const sign = text[end - 1];
    if (trimmed.has(sign)) {
      end -= 1;
    } else if (isMark(sign)) {
      let count = 1;
      while (end - count > body && text[end - count - 1] === sign) count += 1;
      if (!closes(sign, count)) break;
      end -= count;
    } else {
      break;
    }
  }
  return end > body ? end : start;
}

function schemeEnd(text, start) {
  let at = start + 1;
  while (at < text.length && at - start <= 24 && schemePart.test(text[at])) at += 1;
  // A single letter is a drive of Windows.
  if (at - start < 2 || text[at] !== ':' || text[at + 1] !== '/' || text[at + 2] !== '/') return undefined;
  return at + 3;
}

function wwwEnd(text, start) {
  const isWww = text.slice(start, start + 3).every((sign) => sign === 'w' || sign === 'W');
  return isWww && text[start + 3] === '.' && isWord(text[start + 4]) ? start + 4 : undefined;
}

const schemes = new Set(['http:', 'https:', 'irc:', 'ircs:']);

/**
 * The target of a link, or undefined where the page does not link it.
 * `hint` is the host as the network knows it, where the text could make a reader take it for another one.
 */
export function linkOf(text) {
  let url;
  try {
    url = new URL(/^www\./i.test(text) ? `https://${text}` : text);
  } catch {
    return undefined;
  }
  if (!schemes.has(url.protocol) || !url.hostname) return undefined;
  const isAscii = /^[\x20-\x7e]*$/.test(text.split('/').slice(0, 3).join('/'));
  const isPlain = isAscii && !url.username && !url.password && !/(^|\.)xn--/.test(url.hostname);
  return { href: url.href, hint: isPlain ? undefined : url.hostname };
}
