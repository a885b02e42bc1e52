/**
 * tenuto.v1 as a client speaks it: attach, resume, acknowledged commands, heartbeats, back-off. It
 * knows no page, no audio and no clock of its own: `io` gives it the world, `on` takes what
 * happened.
 *
 * What it promises: every event reaches `on.event` once and in order; a command is sent again until
 * it is answered; no connection that can come back is given up, and none that a newer client took
 * is taken back without being asked.
 */

import { SUBPROTOCOL, TICKET_PREFIX, unpack } from './wire.js';

const ATTACH = 10_000;
const DEAD = 12_000;
/** Milliseconds between two attempts to get another ticket while attached. */
const RENEW = 5_000;
const DEAD_STREAMING = 6_000;
const STEADY = 2_000;
/** Seconds between two attempts, at most: at first, and later. */
const SOON = 2;
const LONGEST = 10;
/** Milliseconds without a steady connection in which attempts come soon: the microphone's ring is that long. */
const KEEN = 30_000;
const MOST_COMMANDS = 256;
const ENDED = 4000;
const SUPERSEDED = 4001;
const REFUSED = 4003;
const PROTOCOL = 4004;
const EXPIRED = 4301;
const WRONG_PROTOCOL = { code: 'protocol', message: 'The page and the server do not understand each other. Reload the page.' };
const NOT_YOURS = { code: 'session_not_found', message: 'This session cannot be opened from here. Start a new one.' };

/**
 * Return seconds to wait before attempt 0, 1, 2 ...: at once, 0.3, then anything up to a bound that
 * grows to 10.
 */
export function backoff(attempt, random = Math.random, longest = LONGEST) {
  if (attempt <= 0) return 0;
  if (attempt === 1) return 0.3;
  return random() * Math.min(longest, 0.3 * 2 ** attempt);
}

/** Tell whether a request that failed so may succeed later without anybody changing anything. */
const mayPass = ({ status, retryable }) => !(status >= 400 && status < 500 && status !== 429) || Boolean(retryable);

/** A command that cannot be taken; `code` is stable, `message` says what to do. */
export class Refusal extends Error {
  constructor(code, message) {
    super(message);
    this.code = code;
  }
}

/**
 * @typedef {object} Io
 * @property {(address: {session: string, url: string}, protocols: string[]) => WebSocket} open
 * @property {() => Promise<string>} create Make a session; returns its id. Rejects with `{status, code, message}`.
 * @property {(session: string) => Promise<string>} ticket Rejects likewise.
 * @property {() => object} present What an attach says beside its credentials: heard, mic, loudspeaker.
 * @property {() => boolean} streaming Whether audio flows, so that silence means death sooner.
 * @property {() => number} now Milliseconds.
 * @property {(ms: number, fn: () => void) => () => void} after Returns its undoing.
 * @property {() => number} random
 *
 * States, given to `on.state(state, detail)`: `connecting`, `attaching`, `catching_up`, `live`,
 * `waiting` (detail.until), and the resting ones, which only the person leaves: `superseded`,
 * `ended`, `locked` (a key is wanted), `refused`, `left`.
 */
export class Session {
  #io;
  #on;
  #socket = null;
  #run = 0;
  #undo = null;
  #byToken = false;
  #doubt = false;
  #opened = false;
  #liveSince = null;
  #steadyAt = null;
  #spare = false;
  #heardAt = 0;
  #beatAt = 0;
  #moved = 0;
  #next;
  #pending;
  #why = {};
  #renewing = null;
  #renewAt = null;

  constructor(io, on, kept) {
    this.#io = io;
    this.#on = on;
    this.id = kept.session ?? '';
    this.client = kept.client;
    this.token = kept.token ?? '';
    this.epoch = '';
    this.position = 0;
    this.attempts = 0;
    this.state = 'left';
    this.url = '';
    this.beat = 5;
    this.#next = kept.next ?? 1;
    this.#pending = kept.pending ?? [];
  }

  /** What a reload needs to go on. */
  keep() {
    return {
      session: this.id,
      client: this.client,
      token: this.token,
      have: this.epoch ? { epoch: this.epoch, position: this.position } : null,
      next: this.#next,
      pending: this.#pending,
    };
  }

  get pending() {
    return this.#pending;
  }

  get live() {
    return this.state === 'live' || this.state === 'catching_up';
  }

  /** Bytes that were sent and have not left. */
  get buffered() {
    return this.#socket?.bufferedAmount ?? 0;
  }

  /**
   * Connect now: at the start, when the network is back, or when the person takes the session back.
   */
  connect() {
    this.#let();
    this.#dial(this.#run).catch((problem) => this.#failed(problem));
  }

  /** Connect now if that is what it waits for. */
  wake() {
    if (this.state === 'waiting') this.connect();
  }

  /** Go, on purpose. The session lives on without this client. */
  leave(reason = 'left') {
    this.#text({ type: 'bye', reason });
    const socket = this.#socket;
    this.#let();
    socket?.close(1000);
    this.#is('left');
  }

  /** Show the server another ticket, so that the attachment goes on. Callers at the same time share one. */
  renew() {
    this.#renewing ??= this.#renew(this.#run).finally(() => (this.#renewing = null));
    return this.#renewing;
  }

  /** Drop the connection and make a new one. */
  again() {
    const socket = this.#socket;
    this.connect();
    socket?.close(1000);
  }

  /**
   * Ask for something and return its number; `on.settled` says when it is durable, or why not.
   * Throws `Refusal`.
   */
  command(kind, fields = {}) {
    if (this.#pending.length >= MOST_COMMANDS) {
      throw new Refusal('quota_exceeded', 'Too much waits for the server already. Wait until the connection is back.');
    }
    const number = this.#next;
    this.#next += 1;
    this.#pending.push({ number, do: { type: kind, ...fields } });
    this.#on.changed();
    if (this.live) this.#text({ type: 'command', ...this.#pending.at(-1) });
    return number;
  }

  /**
   * Say how much of a reply was heard. Lost while there is no connection; the next attach says it
   * again.
   */
  mark(mark) {
    if (this.live) this.#text({ type: 'mark', ...mark });
  }

  /** Send a frame of the microphone, if there is a connection. */
  audio(frame) {
    if (this.live && this.#socket.readyState === 1) this.#socket.send(frame);
  }

  async #renew(run) {
    this.#renewAt = null;
    try {
      const ticket = await this.#io.ticket(this.id);
      if (run === this.#run) this.#text({ type: 'auth', ticket });
    } catch (problem) {
      // Whoever is refused is told so when the connection ends; it can be used until then.
      if (run === this.#run && mayPass(problem)) this.#renewAt = this.#io.now() + RENEW;
    }
  }

  /** Answer `on.rewind`: what follows of the microphone begins at this sample again. */
  rewound(mic) {
    this.#text({ type: 'rewind', mic });
  }

  async #dial(run) {
    this.#is('connecting');
    this.#after(ATTACH, () => this.#lost(1006));
    if (!this.id) {
      const id = await this.#io.create();
      if (run !== this.#run) return;
      this.id = id;
      this.#on.changed();
    }
    const protocols = [SUBPROTOCOL];
    this.#byToken = this.token !== '' && !this.#doubt;
    if (!this.#byToken) {
      const ticket = await this.#io.ticket(this.id);
      if (run !== this.#run) return;
      protocols.push(TICKET_PREFIX + ticket);
    }
    this.#opened = false;
    const socket = this.#io.open({ session: this.id, url: this.url }, protocols);
    socket.binaryType = 'arraybuffer';
    this.#socket = socket;
    const mine = (fn) => (event) => run === this.#run && fn(event);
    socket.onopen = mine(() => this.#attach());
    socket.onmessage = mine(({ data }) => this.#frame(data));
    socket.onclose = mine(({ code }) => this.#lost(code));
  }

  #attach() {
    this.#opened = true;
    this.#is('attaching');
    const attach = { type: 'attach', session: this.id, client: this.client, ...this.#io.present() };
    if (this.#byToken) attach.token = this.token;
    if (this.epoch && this.position) attach.have = { epoch: this.epoch, position: this.position };
    this.#text(attach);
  }

  #frame(data) {
    this.#heardAt = this.#io.now();
    if (typeof data !== 'string') {
      const audio = unpack(data);
      if (audio) this.#on.audio(audio);
      return;
    }
    let frame;
    try {
      frame = JSON.parse(data);
    } catch {
      this.#on.error({ code: 'bad_frame', message: 'The server sent something that is not tenuto.v1.' });
      return;
    }
    this.#read[frame.type]?.(frame);
  }

  #read = {
    attached: (frame) => this.#attached(frame),
    snapshot: ({ position, state }) => {
      this.position = position;
      this.#on.snapshot(state, position);
    },
    event: ({ position, event }) => {
      if (position <= this.position) return;
      this.position = position;
      this.#on.event(event, position, this.state === 'live');
    },
    live: ({ head }) => {
      this.attempts = 0;
      this.#doubt = false;
      this.#liveSince = this.#io.now();
      this.#is('live');
      this.#on.live(head);
    },
    ok: ({ number }) => this.#settle(number),
    no: (frame) => this.#settle(frame.number, frame),
    hush: ({ reply }) => this.#on.hush(reply),
    rewind: ({ mic }) => this.#on.rewind(mic),
    tell: ({ kind, body }) => this.#on.tell(kind, body ?? {}),
    auth_soon: () => this.renew(),
    authorized: () => {
      // Its end has not moved: it would be refused.
      this.token = '';
      this.#on.changed();
    },
    // Browsers slow the timers of hidden pages down, but not their sockets: the server's beat
    // drives ours.
    beat: () => this.#io.now() - this.#beatAt > this.beat * 800 && this.#beat(),
    moved: ({ url, after = 0 }) => {
      this.url = url;
      this.#moved = after;
    },
    error: (frame) => {
      if (this.live) this.#on.error(frame);
      else this.#why = frame;
    },
    bye: () => {},
  };

  #attached(frame) {
    if (frame.mode !== 'replay' || (this.epoch && this.epoch !== frame.epoch)) this.position = 0;
    this.epoch = frame.epoch;
    this.token = frame.token;
    this.beat = frame.beat || 5;
    this.url = frame.url || this.url;
    this.#next = Math.max(this.#next, frame.commands + 1);
    this.#is('catching_up');
    this.#on.attached(frame);
    for (const { number } of this.#pending.filter((one) => one.number <= frame.commands)) {
      this.#settle(number);
    }
    for (const one of this.#pending) this.#text({ type: 'command', ...one });
    this.#on.changed();
    this.#beat();
    this.#watch();
  }

  #beat() {
    this.#beatAt = this.#io.now();
    this.#text({ type: 'beat', position: this.position });
  }

  #watch() {
    this.#after(1000, () => {
      const now = this.#io.now();
      // Never sooner than a beat that comes late.
      const sooner = Math.max(DEAD_STREAMING, this.beat * 1600);
      if (now - this.#heardAt > (this.#io.streaming() ? sooner : DEAD)) {
        this.#lost(1006);
        return;
      }
      if (now - this.#beatAt >= this.beat * 1000) this.#beat();
      if (this.#renewAt !== null && now >= this.#renewAt) this.renew();
      this.#watch();
    });
  }

  #settle(number, refused = null) {
    const index = this.#pending.findIndex((one) => one.number === number);
    if (index < 0) return;
    const [command] = this.#pending.splice(index, 1);
    this.#on.settled(command, refused);
    this.#on.changed();
  }

  /**
   * The connection is gone: decide by its code whether to come back, when, and with which
   * credential.
   */
  #lost(code) {
    const wasLive = this.#liveSince !== null;
    if (wasLive && this.#io.now() - this.#liveSince > STEADY) {
      this.attempts = 0;
      this.#steadyAt = this.#io.now();
      this.#spare = false;
    }
    const attached = this.live;
    const socket = this.#socket;
    const why = this.#why;
    this.#let();
    socket?.close();
    if (code === ENDED || why.code === 'session_ended') return this.#is('ended');
    if (code === SUPERSEDED) return this.#is('superseded');
    if (code === PROTOCOL) return this.#is('refused', { ...WRONG_PROTOCOL, ...why });
    if (code === REFUSED && !this.#byToken) return this.#is('refused', { ...NOT_YOURS, ...why });
    if (code === REFUSED || code === EXPIRED) {
      this.token = '';
      this.#on.changed();
    } else if (!attached) {
      // A server that refuses the token before the socket opens looks like one that is away: try
      // the other credential.
      if (!this.#opened && this.token) this.#doubt = !this.#doubt;
      this.url = '';
    }
    const asked = code === 4100 || code === 4101;
    this.#spare ||= asked;
    return this.#wait(asked ? 2 : 0);
  }

  #failed(problem) {
    this.#let();
    if (problem.status === 401) return this.#is('locked', problem);
    if (problem.code === 'session_ended') return this.#is('ended');
    if (!mayPass(problem)) return this.#is('refused', problem);
    this.#doubt = false;
    return this.#wait(problem.status === 429 ? 2 : 0);
  }

  #wait(least) {
    this.#steadyAt ??= this.#io.now();
    const keen = !this.#spare && this.#io.now() - this.#steadyAt < KEEN;
    const attempt = Math.max(least, this.attempts);
    const pause = backoff(attempt, this.#io.random, keen ? SOON : LONGEST);
    const seconds = Math.max(this.#moved, pause);
    this.#moved = 0;
    this.attempts += 1;
    this.#is('waiting', { until: this.#io.now() + seconds * 1000 });
    this.#after(seconds * 1000, () => this.connect());
  }

  #is(state, detail = {}) {
    this.state = state;
    this.#on.state(state, detail);
  }

  /** Let go of the socket and of the timer; what they still say is not heard. */
  #let() {
    this.#run += 1;
    this.#socket = null;
    this.#liveSince = null;
    this.#why = {};
    this.#renewAt = null;
    this.#undo?.();
    this.#undo = null;
  }

  /**
   * The one timer: to be attached in time, then to stay alive, then to come back. A new one takes
   * the old one's place.
   */
  #after(ms, fn) {
    this.#undo?.();
    this.#undo = this.#io.after(ms, fn);
  }

  #text(frame) {
    if (this.#socket?.readyState === 1) this.#socket.send(JSON.stringify(frame));
  }
}
