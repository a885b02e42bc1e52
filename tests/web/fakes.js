/** A clock that stands until it is moved, and a socket that is a test. */

export class Clock {
  #timers = [];
  time = 0;

  now = () => this.time;

  after = (ms, fn) => {
    const timer = { due: this.time + ms, fn };
    this.#timers.push(timer);
    return () => (this.#timers = this.#timers.filter((one) => one !== timer));
  };

  /** Let so many milliseconds pass, with everything that is due in them. */
  pass(ms) {
    const until = this.time + ms;
    for (;;) {
      const [next] = this.#timers.filter(({ due }) => due <= until).sort((one, other) => one.due - other.due);
      if (!next) break;
      this.#timers = this.#timers.filter((one) => one !== next);
      this.time = Math.max(this.time, next.due);
      next.fn();
    }
    this.time = until;
  }

  /** Milliseconds until the next timer. */
  get next() {
    return Math.min(...this.#timers.map(({ due }) => due)) - this.time;
  }
}

export class Socket {
  readyState = 0;
  bufferedAmount = 0;
  sent = [];

  constructor(address, protocols) {
    this.address = address;
    this.protocols = protocols;
  }

  open() {
    this.readyState = 1;
    this.onopen({});
  }

  send(data) {
    this.sent.push(typeof data === 'string' ? JSON.parse(data) : data);
  }

  give(frame) {
    this.onmessage({ data: frame instanceof ArrayBuffer ? frame : JSON.stringify(frame) });
  }

  drop(code = 1006) {
    this.readyState = 3;
    this.onclose({ code });
  }

  close() {
    this.readyState = 3;
  }
}
