// Server-sent events by fetch: EventSource cannot send a token.

import { ApiError, pathOf } from './api.js';

/** Milliseconds without a byte after which a stream is given up. The server sends a comment within 15 seconds. */
const silence = 40000;

/** Splits the text of a stream into frames {event, id, data}. */
export class FrameParser {
  #rest = '';

  feed(text) {
    const frames = [];
    this.#rest += text;
    const blocks = this.#rest.split('\n\n');
    this.#rest = blocks.pop();
    for (const block of blocks) {
      const frame = { event: 'message', id: undefined, data: undefined };
      for (const line of block.split('\n')) {
        const colon = line.indexOf(':');
        if (colon === 0) continue;
        const field = colon < 0 ? line : line.slice(0, colon);
        const value = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '');
        if (field === 'data') frame.data = frame.data === undefined ? value : `${frame.data}\n${value}`;
        else if (field === 'event' || field === 'id') frame[field] = value;
      }
      if (frame.data !== undefined) frames.push(frame);
    }
    return frames;
  }
}

/**
 * Reads the stream until it ends or `signal` aborts; calls `onFrame` for each frame and `onOpen` once.
 * Throws an ApiError where the server refuses or the connection breaks.
 */
export async function readStream(api, { after, mine, signal, onOpen, onFrame }) {
  const watch = new AbortController();
  let timer;
  const heard = () => {
    clearTimeout(timer);
    timer = setTimeout(() => watch.abort(), silence);
  };
  heard();
  try {
    const response = await fetch(api.base + pathOf('/api/events/stream', { mine: mine || undefined, after }), {
      headers: { Accept: 'text/event-stream', ...api.authorization() }, cache: 'no-store', referrerPolicy: 'no-referrer',
      signal: AbortSignal.any([signal, watch.signal]),
    });
    if (!response.ok) throw await refusal(response);
    onOpen();
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    const parser = new FrameParser();
    for (;;) {
      const { value, done } = await reader.read();
      if (done) throw new ApiError(0, 'network', 'The server closed the connection.');
      heard();
      for (const frame of parser.feed(value)) onFrame(frame);
    }
  } catch (error) {
    if (error instanceof ApiError || signal.aborted) throw error;
    throw new ApiError(0, 'network', 'The connection to the server broke.');
  } finally {
    clearTimeout(timer);
    watch.abort();
  }
}

async function refusal(response) {
  const failure = await response.json().then((body) => body.error, () => undefined);
  return new ApiError(response.status, failure?.code ?? 'unknown', failure?.message ?? 'The server refused the stream.', {
    field: failure?.field, retryAfter: Number(response.headers.get('Retry-After')) || 0,
  });
}
