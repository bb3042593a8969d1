// @ts-check
/** Lines of the plugin protocol, version 1: limits and encoding. No I/O. */

export const PROTOCOL = 1;
/** The longest line, in bytes, without its LF. */
export const MAX_LINE = 1 << 20;
/** The largest state of a queue, in bytes of JSON. */
export const MAX_STATE = 64 << 10;
/** Exit status: the configuration is wrong; the plugin stays down until it changes. */
export const EXIT_CONFIGURATION = 78;

/** A value exceeds a limit of the protocol. */
export class LimitError extends Error {}

/** JSON whose texts and keys hold no half of a surrogate pair, which the host refuses. @param {unknown} value */
function json(value) {
  const text = JSON.stringify(value);
  if (!text?.includes('\\ud')) return text;
  // Only halves are written as escapes. Every escape is looked at, for a backslash is one too.
  return text.replace(/\\(?:ud[89a-f][0-9a-f]{2}|.)/g, (escape) => (escape.length > 2 ? '\ufffd' : escape));
}

/**
 * A message as a line with its LF. Fields that are undefined are left out.
 * @param {object} message
 */
export function encodeLine(message) {
  const text = json(message);
  // At most three bytes for each unit, so most lines need no counting.
  if (text.length * 3 > MAX_LINE && Buffer.byteLength(text) > MAX_LINE) {
    const size = Buffer.byteLength(text);
    throw new LimitError(`the '${message['type']}' line has ${size} bytes; at most ${MAX_LINE}: send less`);
  }
  return text + '\n';
}

/**
 * A queue's state as JSON, within the limit.
 * @param {string} queue @param {unknown} state
 */
export function encodeState(queue, state) {
  const text = json(state);
  if (text === undefined) throw new TypeError(`the state of queue '${queue}' is no JSON`);
  const size = Buffer.byteLength(text);
  if (size > MAX_STATE) {
    throw new LimitError(`the state of queue '${queue}' has ${size} bytes of JSON; at most ${MAX_STATE}: `
      + 'keep less in it, or write to files in dataDir');
  }
  return text;
}

/**
 * A text of at most `limit` bytes of UTF-8, cut between characters.
 * @param {string} text @param {number} limit
 */
export function cut(text, limit) {
  const whole = String(text);
  const bytes = Buffer.from(whole);
  if (bytes.length <= limit) return whole;
  let end = limit;
  while (end > 0 && (bytes[end] & 0xc0) === 0x80) end -= 1;
  return bytes.subarray(0, end).toString();
}
