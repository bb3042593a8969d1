// Random ids. crypto.randomUUID does not exist on plain http beyond localhost; getRandomValues does.

/** Random bytes as hexadecimal digits. */
export function randomHex(bytes) {
  return Array.from(crypto.getRandomValues(new Uint8Array(bytes)), (byte) => byte.toString(16).padStart(2, '0'))
    .join('');
}

/** The id of a new event: a UUIDv7, so that ids sort by time. */
export function newEventId(now = Date.now()) {
  const time = now.toString(16).padStart(12, '0');
  const random = randomHex(10);
  const variant = (8 | (parseInt(random[3], 16) & 3)).toString(16);
  return `${time.slice(0, 8)}-${time.slice(8)}-7${random.slice(0, 3)}-${variant}${random.slice(4, 7)}-${random.slice(7, 19)}`;
}
