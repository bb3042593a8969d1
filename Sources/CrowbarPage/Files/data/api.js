// Calls to the server.

/** A call that was refused or not answered. `code` is the server's, or `network`. */
export class ApiError extends Error {
  constructor(status, code, message, more = {}) {
    super(message);
    Object.assign(this, { status, code, ...more });
  }

  /** Whether the same call may succeed later. */
  get isTemporary() {
    return this.code === 'network' || this.status === 429 || this.status >= 500;
  }
}

export class Api {
  #base;
  /** Called when the server no longer accepts the token. */
  onUnauthorized = () => {};
  token;

  /** `base` is the API's origin, or '' for the page's own. */
  constructor(base) { this.#base = base; }

  get base() { return this.#base; }

  /** Makes a call and gives `{status, data, headers}`; throws an ApiError. */
  async call(method, path, body, { signal, keepalive, headers = {}, timeout = 30000 } = {}) {
    const token = this.token;
    const text = body === undefined || typeof body === 'string' ? body : JSON.stringify(body);
    const signals = [AbortSignal.timeout(timeout), ...(signal ? [signal] : [])];
    let response;
    let data;
    try {
      response = await fetch(this.#base + path, {
        method, body: text, keepalive, signal: AbortSignal.any(signals), cache: 'no-store', referrerPolicy: 'no-referrer',
        headers: { ...(body !== undefined && { 'Content-Type': 'application/json' }), ...headers, ...this.authorization() },
      });
      data = response.status === 204 ? undefined : parsed(await response.text());
    } catch (error) {
      if (signal?.aborted) throw error;
      throw new ApiError(0, 'network', 'The server does not answer.');
    }
    if (response.ok || response.status === 304) return { status: response.status, data, headers: response.headers };
    const failure = data?.error ?? {};
    if (response.status === 401 && token && token === this.token) this.onUnauthorized(failure.message);
    throw new ApiError(
      response.status, failure.code ?? 'unknown', failure.message ?? `The server answered ${response.status}.`,
      { field: failure.field, progress: failure.progress, retryAfter: Number(response.headers.get('Retry-After')) || 0 });
  }

  get(path, options) { return this.call('GET', path, undefined, options); }
  post(path, body, options) { return this.call('POST', path, body, options); }

  /** The header that says who calls. */
  authorization() { return this.token ? { Authorization: `Bearer ${this.token}` } : {}; }
}

/** A JSON text's value; undefined if it is none. */
export function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** A path with its parameters; those that are undefined are left out. */
export function pathOf(path, parameters = {}) {
  const query = Object.entries(parameters).filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${name}=${encodeURIComponent(value)}`).join('&');
  return query ? `${path}?${query}` : path;
}
