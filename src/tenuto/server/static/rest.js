/**
 * The few calls that are not the WebSocket's. Every failure is a `Failure` with a code and what to
 * do.
 */

const PATIENCE = 10_000;

export class Failure extends Error {
  constructor(status, { code = 'network', message = 'The server does not answer.', retryable = false } = {}) {
    super(message);
    this.status = status;
    this.code = code;
    this.retryable = retryable;
  }
}

export class Rest {
  /** @param {() => string} key The API key; empty when the server wants none. */
  constructor(base, key) {
    this.base = base;
    this.key = key;
  }

  /** Make a session and return its id. */
  async create() {
    return (await this.#call('POST', 'sessions', {})).session_id;
  }

  /** Return a ticket: good once, for a few seconds. */
  async ticket(session) {
    return (await this.#call('POST', `sessions/${encodeURIComponent(session)}/tickets`, {})).ticket;
  }

  /**
   * Return `{messages, next}`: a page of the history, oldest first, and `before` of the page before
   * it or null.
   */
  async history(session, before, limit) {
    const query = new URLSearchParams(before ? { before, limit } : { limit });
    const page = await this.#call('GET', `sessions/${encodeURIComponent(session)}/history?${query}`);
    const messages = page.messages.map((message) => ({ ...message, at: Date.parse(message.at) / 1000 }));
    return { messages, next: page.next };
  }

  async #call(method, path, body) {
    const headers = { accept: 'application/json' };
    if (this.key()) headers.authorization = `Bearer ${this.key()}`;
    if (body) headers['content-type'] = 'application/json';
    let response;
    try {
      response = await fetch(new URL(path, this.base), {
        method,
        headers,
        body: body && JSON.stringify(body),
        signal: AbortSignal.timeout(PATIENCE),
        cache: 'no-store',
      });
    } catch {
      throw new Failure(0);
    }
    const answer = await response.json().catch(() => ({}));
    if (!response.ok) {
      const { code, message, retryable } = answer.error ?? answer;
      throw new Failure(response.status, { code: code ?? `http_${response.status}`, message, retryable });
    }
    return answer;
  }
}
