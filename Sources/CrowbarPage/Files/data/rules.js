// What the server refuses is said before it is sent (docs/domain.md). The server's word is final.

const bytes = (text) => new TextEncoder().encode(text).length;

const nul = 'A text cannot have the character U+0000.';
/** Control characters, which no name has. */
const controls = /[\u0000-\u001F\u007F-\u009F]/;

/** What is wrong with a message, or undefined. */
export function messageFault(text, limits) {
  if (!text.trim()) return 'Write something first.';
  if (text.includes('\0')) return nul;
  const size = bytes(text);
  if (size > limits.message) return `The message is ${size - limits.message} bytes too long (at most ${limits.message}).`;
  return undefined;
}

/** What is wrong with a channel's id, or undefined. */
export function channelIdFault(id) {
  if (/^[a-z0-9][a-z0-9_.-]{0,63}$/.test(id)) return undefined;
  return 'An id has 1 to 64 of a–z, 0–9, “_”, “.” and “-”, and begins with a letter or digit.';
}

/** What is wrong with a name, or undefined. */
export function nameFault(name, limits) {
  if (!name.trim()) return 'Enter a name.';
  if (controls.test(name)) return 'A name cannot have control characters.';
  return bytes(name) > limits.name ? `A name has at most ${limits.name} bytes.` : undefined;
}

/** What is wrong with a topic, or undefined. */
export function topicFault(topic, limits) {
  if (topic.includes('\0')) return nul;
  return bytes(topic) > limits.topic ? `A topic has at most ${limits.topic} bytes.` : undefined;
}

/** What is wrong with a reaction, or undefined. */
export function reactionFault(text) {
  if (/^:[a-z0-9_+-]{1,30}:$/.test(text)) return undefined;
  const isOne = [...new Intl.Segmenter().segment(text)].length === 1 && bytes(text) <= 64;
  return isOne && !/^[\p{C}\p{Z}\p{M}]/u.test(text) ? undefined : 'A reaction is one emoji, or a name such as :thumbs_up:.';
}

/** What is wrong with the id of a new account, or undefined. */
export function userIdFault(id) {
  if (/^[a-z0-9][a-z0-9._-]{1,31}$/.test(id)) return undefined;
  return 'An id has 2 to 32 of a–z, 0–9, “.”, “_” and “-”, and begins with a letter or digit.';
}

/** What is wrong with a new password, or undefined. */
export function passwordFault(password) {
  const size = bytes(password);
  if (size < 8) return 'A password has at least 8 characters.';
  return size > 1024 ? 'A password has at most 1,024 bytes.' : undefined;
}
