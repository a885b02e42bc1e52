/**
 * The journal as a person reads it: a fold of events, and of the few things that are not journaled,
 * into entries. Pure.
 *
 * Every entry has a `key`, a `kind` (message, reply, pending, conversation, alarm, notice) and a
 * `rev` that grows when the entry changes, so that a view can draw what is new and nothing else.
 */

const PACE = 14;
const NEAR = 0.35;

/**
 * Return how many characters of a text were heard after some seconds at this pace, up to the end of
 * a word.
 */
export function heardLength(text, seconds, pace = PACE) {
  if (seconds < NEAR) return 0;
  const place = Math.floor(seconds * pace);
  if (place >= text.length) return text.length;
  const end = text.lastIndexOf(' ', place);
  return Math.max(0, end);
}

/** Return the segments of a reply as one text. */
export function joined(segments) {
  return segments.map(({ text }) => text).reduce((all, text) => {
    const glue = all && !/\s$/.test(all) && !/^\s/.test(text) ? ' ' : '';
    return all + glue + text;
  }, '');
}

/** Return `{heard, rest}`: what of a reply was heard, and what was only generated. */
export function divided({ text, said }) {
  if (!said || said === text) return { heard: text, rest: '' };
  if (said.startsWith(text)) return { heard: text, rest: said.slice(text.length).trimStart() };
  return { heard: text, rest: said };
}

export class Transcript {
  #byKey = new Map();
  #pace = PACE;
  #conversations = 0;

  /** @param {string} client This page's own id: what it typed is known by it. */
  constructor(client = '') {
    this.client = client;
    this.entries = [];
    this.memories = new Map();
    this.alarms = new Map();
    this.session = '';
    this.conversation = '';
    this.status = 'idle';
    this.partial = '';
    this.ended = '';
    /** How often it was started anew: what is there then is not news. */
    this.restored = 0;
    /** The reply that is open, as its entry; null when none is. */
    this.reply = null;
  }

  /** The oldest message that is here; 0 when there is none. */
  get oldest() {
    return this.entries.find((entry) => entry.message)?.message ?? 0;
  }

  entry(key) {
    return this.#byKey.get(key);
  }

  /** The first entry of a turn. */
  ofTurn(turn) {
    return this.entries.find((entry) => entry.turn === turn);
  }

  /** Start from a server's snapshot; what is still pending here stays. */
  restore(state) {
    const pending = this.entries.filter(({ kind }) => kind === 'pending');
    this.#clear();
    this.restored += 1;
    this.session = state.session ?? '';
    this.conversation = state.conversation ?? '';
    this.status = state.status ?? 'idle';
    this.#messages(state.messages ?? []);
    for (const memory of state.memories ?? []) this.memories.set(memory.memory, memory);
    for (const alarm of state.alarms ?? []) this.alarms.set(alarm.alarm, alarm);
    if (state.ended) this.ended = String(state.ended);
    if (state.reply) {
      const { reply, turn, segments = [], heard = 0, aloud = true } = state.reply;
      this.#fold['reply.started']({ reply, turn, aloud });
      segments.forEach((segment, index) => {
        const whole = typeof segment === 'string' ? { text: segment } : segment;
        this.#fold['reply.segment']({ index, ...whole, reply });
      });
      this.heard(reply, heard);
    }
    for (const entry of pending) this.#add(entry);
  }

  /** Start from nothing: every event follows. */
  reset() {
    this.restore({});
  }

  /** Add one event of the journal. One that is not known changes nothing. */
  apply(event) {
    this.#fold[event.type]?.(event);
  }

  /** Take something that is not journaled. */
  tell(kind, body) {
    if (kind === 'partial') this.partial = body.text ?? '';
    if (kind === 'status') {
      this.status = body.state ?? 'idle';
      if (this.status === 'idle') this.partial = '';
    }
  }

  /** So many seconds of a reply were heard by now. */
  heard(reply, seconds) {
    const entry = this.#byKey.get(`r${reply}`);
    if (!entry || entry.state !== 'open' || seconds <= entry.seconds) return;
    entry.seconds = seconds;
    const length = entry.aloud ? heardLength(joined(entry.segments), seconds, this.#pace) : Infinity;
    if (length > entry.length) this.#touch(entry, { length });
  }

  /** Something typed that is not durable yet. */
  pending(number, text) {
    this.#add({ key: `p${number}`, kind: 'pending', text });
  }

  /** The command was answered: its message is in the journal, or never will be. */
  settled(number) {
    this.#remove(`p${number}`);
  }

  /** Put older messages before the others. Returns how many were new. */
  prepend(messages) {
    const oldest = this.oldest || Infinity;
    const older = messages.filter(({ message }) => message < oldest);
    const later = this.entries;
    this.entries = [];
    this.#messages(older);
    this.entries.push(...later);
    return older.length;
  }

  #fold = {
    'session.created': ({ session }) => {
      this.session = session;
    },
    'session.ended': ({ reason, at }) => {
      this.ended = reason || 'ended';
      this.#add({ key: 'ended', kind: 'notice', text: 'The session ended.', at });
    },
    'conversation.started': ({ conversation, at }) => this.#divide('New conversation', conversation, at),
    'conversation.resumed': ({ conversation, at }) => this.#divide('Back in an earlier conversation', conversation, at),
    'conversation.ended': ({ conversation }) => {
      if (conversation === this.conversation) this.conversation = '';
    },
    'speech.started': () => {
      this.partial = '';
    },
    'message.added': (event) => {
      const [client, number] = (event.cause ?? '').split(':');
      if (event.role === 'user' && client === this.client) this.#remove(`p${number}`);
      if (event.role === 'user') this.partial = '';
      this.#message(event);
    },
    'reply.started': ({ reply, turn, at, aloud = false }) => {
      if (this.#byKey.has(`r${reply}`)) return;
      this.partial = '';
      this.reply = this.#add({
        key: `r${reply}`, kind: 'reply', reply, turn, at, aloud,
        state: 'open', segments: [], cites: [], text: '', said: '', seconds: 0, length: aloud ? 0 : Infinity,
      });
    },
    'reply.segment': ({ reply, index, text, last = false, cites = [] }) => {
      const entry = this.#byKey.get(`r${reply}`);
      if (!entry || entry.segments.some((segment) => segment.index === index)) return;
      entry.segments.push({ index, text, last });
      this.#touch(entry, { cites: [...new Set([...entry.cites, ...cites])] });
    },
    'reply.ended': ({ reply, heard = 0 }) => {
      const entry = this.#byKey.get(`r${reply}`);
      if (!entry) return;
      const text = joined(entry.segments);
      if (heard > 1) this.#pace = 0.5 * this.#pace + 0.5 * (text.length / heard);
      this.#close(entry, { state: 'ended', text: entry.text || text });
    },
    'reply.cut': ({ reply, reason, heard = 0 }) => {
      const entry = this.#byKey.get(`r${reply}`);
      if (!entry) return;
      this.heard(reply, heard);
      const said = joined(entry.segments);
      const text = entry.message ? entry.text : said.slice(0, Math.min(entry.length, said.length));
      this.#close(entry, { state: 'cut', reason, text, said });
    },
    'memory.added': (event) => this.memories.set(event.memory, event),
    'memory.removed': ({ memory }) => this.memories.delete(memory),
    'alarm.set': (event) => this.alarms.set(event.alarm, event),
    'alarm.cancelled': ({ alarm }) => this.alarms.delete(alarm),
    'alarm.rang': ({ alarm, at }) => {
      const set = this.alarms.get(alarm);
      this.alarms.delete(alarm);
      this.#add({ key: `a${alarm}`, kind: 'alarm', text: set?.text ?? '', at });
    },
  };

  #messages(messages) {
    let before = null;
    for (const message of messages) {
      if (before && before.conversation !== message.conversation) {
        this.#add({ key: `c${message.message}`, kind: 'conversation', text: 'New conversation', at: message.at });
      }
      this.#message(message);
      before = message;
    }
  }

  #message({ message, role, text, turn, conversation, at, reply = 0, said = '', by = '' }) {
    const common = { message, role, turn, at, conversation, text };
    const open = reply ? this.#byKey.get(`r${reply}`) : null;
    if (open) {
      const state = said && said !== text ? 'cut' : open.state;
      this.#touch(open, { ...common, said, state });
    } else if (role === 'agent') {
      const key = reply ? `r${reply}` : `m${message}`;
      const state = said && said !== text ? 'cut' : 'ended';
      this.#add({ key, kind: 'reply', ...common, said, state, segments: [], cites: [], seconds: 0, length: Infinity });
    } else {
      this.#add({ key: `m${message}`, kind: 'message', ...common, by });
    }
  }

  #divide(text, conversation, at) {
    this.conversation = conversation;
    this.#conversations += 1;
    if (this.entries.some(({ kind }) => kind === 'message' || kind === 'reply')) {
      this.#add({ key: `c${this.#conversations}:${conversation}`, kind: 'conversation', text, conversation, at });
    }
  }

  #close(entry, changes) {
    this.#touch(entry, { length: Infinity, ...changes });
    if (this.reply === entry) this.reply = null;
  }

  #add(entry) {
    if (this.#byKey.has(entry.key)) return this.#byKey.get(entry.key);
    entry.rev = 1;
    this.#byKey.set(entry.key, entry);
    const waiting = entry.kind === 'pending' ? -1 : this.entries.findIndex(({ kind }) => kind === 'pending');
    if (waiting < 0) this.entries.push(entry);
    else this.entries.splice(waiting, 0, entry);
    return entry;
  }

  #touch(entry, changes) {
    Object.assign(entry, changes);
    entry.rev += 1;
  }

  #remove(key) {
    if (this.#byKey.delete(key)) this.entries = this.entries.filter((entry) => entry.key !== key);
  }

  #clear() {
    this.#byKey.clear();
    this.entries = [];
    this.memories.clear();
    this.alarms.clear();
    this.reply = null;
    this.partial = '';
    this.ended = '';
    this.conversation = '';
  }
}
