/**
 * Joins the parts of the talk page: a session, a microphone, a loudspeaker, a transcript and what
 * shows them.
 */

import { askedKey, confirmed, toast } from './dialogs.js';
import { claimTab, Keep, randomName } from './keep.js';
import { Lane } from './lane.js';
import { Ledger } from './ledger.js';
import { loudness, Microphone, powerOf } from './microphone.js';
import { Panel } from './panel.js';
import { Player } from './player.js';
import { Rest } from './rest.js';
import { Session } from './session.js';
import { described } from './state.js';
import { Transcript } from './transcript.js';
import { View } from './view.js';
import { Wave } from './wave.js';

const RATE = 16000;
const PAGE = 100;
const TICK = 100;

const $ = (id) => document.getElementById(id);
const now = () => performance.now();
const after = (ms, fn) => {
  const timer = setTimeout(fn, ms);
  return () => clearTimeout(timer);
};

const keep = new Keep();
await claimTab(keep);

const rest = new Rest(document.baseURI, () => keep.get('key') ?? '');
const ledger = new Ledger();
const wave = new Wave();
const view = new View((turn) => showTurn(turn));
const panel = new Panel((turn) => view.cite(turn));
const microphone = new Microphone(
  (samples) => {
    lane.hear(samples);
    if (transcript.status !== 'speaking') wave.level = loudness(powerOf(samples));
  },
  () => {
    microphoneOff();
    toast({ code: 'microphone_lost', message: 'The microphone went away. Plug it in and press the button again.' });
  },
);
let blocked = false;
const player = new Player(ledger, {
  level: (power) => {
    wave.level = loudness(power);
    mark();
  },
  blocked: (is) => {
    if (is !== blocked) draw();
    blocked = is;
  },
});

let session;
let transcript;
let lane;
let stream;
let connection = { state: 'left', returning: false };
let hears = RATE;
let restored = keep.get('heard') ?? null;
let history = { next: null, more: false };

// ------------------------------------------------------------------------------------- the session

function begin() {
  transcript = new Transcript(keep.get('client'));
  history = { next: null, more: false };
  connection = { state: 'left', returning: Boolean(keep.get('token')) };
  newStream(RATE);
  session = new Session(world, heard, {
    session: keep.get('session'),
    client: keep.get('client'),
    token: keep.get('token'),
    next: keep.get('next'),
    pending: keep.get('pending'),
  });
  for (const { number, do: { type, text } } of session.pending) {
    if (type === 'send_message') transcript.pending(number, text);
  }
  session.connect();
}

function newStream(rate) {
  lane?.hold();
  stream = randomName();
  lane = new Lane({ send: (frame) => session.audio(frame), buffered: () => session.buffered, now, after }, rate);
}

const world = {
  now,
  after,
  random: Math.random,
  create: () => rest.create(),
  ticket: (id) => rest.ticket(id),
  streaming: () => microphone.on || ledger.playing,
  open({ session: id, url }, protocols) {
    const address = new URL(`sessions/${encodeURIComponent(id)}/attach`, url || document.baseURI);
    address.protocol = address.protocol.replace('http', 'ws');
    return new WebSocket(address, protocols);
  },
  present() {
    const place = ledger.present() ?? restored;
    return { ...(place && { heard: place }), mic: { stream, rate: lane.rate, rewinds: true }, loudspeaker: {} };
  },
};

const heard = {
  changed: () => keep.set(session.keep()),
  state(state, detail) {
    connection = { state, ...detail, returning: connection.returning || state === 'live' };
    if (!session?.live) lane.hold();
    if (['superseded', 'ended', 'refused', 'left'].includes(state)) microphoneOff();
    if (state === 'locked') askKey();
    if (state === 'ended' && !transcript.entries.length) older();
    draw();
  },
  attached(frame) {
    if (frame.mode === 'fresh') transcript.reset();
    ledger.attached(now());
    player.prepare(frame.speaks).catch((error) => toast({ code: 'no_sound', message: `No sound: ${error.message}` }));
    hears = frame.hears;
    if (hears && hears !== lane.rate) {
      microphoneOff();
      newStream(hears);
      session.again();
      return;
    }
    if (hears) goOn(frame.mic);
  },
  rewind(from) {
    session.rewound(lane.place(from));
    goOn(from);
  },
  snapshot(state) {
    transcript.restore(state);
    history = { next: null, more: transcript.oldest > 1 };
    const reply = state.reply;
    if (reply) {
      const seconds = restored?.reply === reply.reply ? restored.seconds : (reply.heard ?? 0);
      if (reply.aloud ?? ledger.rate > 0) ledger.begin(reply.reply, now(), Math.max(seconds, reply.heard ?? 0));
    } else {
      ledger.shut(ledger.reply);
    }
    draw();
  },
  event(event, position, live) {
    transcript.apply(event);
    reactions[event.type]?.(event, live);
    draw();
  },
  live() {
    restored = null;
    keep.set(session.keep());
    draw();
  },
  tell(kind, body) {
    transcript.tell(kind, body);
    draw();
  },
  audio: (frame) => player.play(frame),
  hush: (reply) => player.hush(reply),
  error: (problem) => toast(problem),
  settled({ number, do: wanted }, refused) {
    transcript.settled(number);
    if (refused) {
      toast(refused);
      if (wanted.type === 'send_message' && !$('say').value) $('say').value = wanted.text;
    }
    draw();
  },
};

const reactions = {
  'reply.started': ({ reply, aloud }) => aloud && ledger.begin(reply, now()),
  'reply.segment': ({ reply, last }) => last && ledger.last(reply, now()),
  'reply.ended': ({ reply }) => ledger.shut(reply),
  'reply.cut': ({ reply }) => player.hush(reply),
  'error.raised': (event, live) => live && toast(event),
};

/** Send the microphone from this sample on; one that was off then is off again after it. */
function goOn(from) {
  const again = lane.place(from) < lane.end;
  lane.begin(from);
  if (again && !microphone.on) stopWhenSent();
}

/** Tell the server, and whoever reloads, how much of the reply was heard by now. */
function mark() {
  const place = ledger.present();
  if (place) transcript.heard(place.reply, place.seconds);
  const due = ledger.mark(now());
  if (!due) return;
  session.mark(due);
  keep.set({ heard: { reply: due.reply, seconds: due.seconds } });
  draw();
}

async function askKey(wrong = Boolean(keep.get('key'))) {
  const key = await askedKey(wrong);
  if (!key) return;
  keep.set({ key });
  session.connect();
}

// ------------------------------------------------------------------------------------- the devices

async function microphoneOn() {
  player.unlock();
  const button = $('talk');
  button.disabled = true;
  try {
    await microphone.start(lane.rate);
    keep.set({ microphone: true });
  } catch (problem) {
    toast(problem);
  }
  button.disabled = false;
  draw();
}

function microphoneOff() {
  if (!microphone.on && !keep.get('microphone')) return;
  microphone.stop();
  keep.set({ microphone: false });
  stopWhenSent();
  draw();
}

/** Say that what was said is all, behind the last of it. */
function stopWhenSent() {
  const mine = lane;
  lane.drained(() => mine === lane && !microphone.on && command('stop_listening'));
}

/** After a reload the microphone goes on if it was on and the browser does not have to ask. */
async function microphoneAgain() {
  if (!keep.get('microphone')) return;
  const permission = await navigator.permissions?.query({ name: 'microphone' }).catch(() => null);
  if (permission?.state === 'granted') await microphoneOn();
  else keep.set({ microphone: false });
}

// -------------------------------------------------------------------------------------- the person

function command(kind, fields) {
  try {
    return session.command(kind, fields);
  } catch (problem) {
    toast(problem);
    return 0;
  }
}

function say(text) {
  player.unlock();
  const number = command('send_message', { text });
  if (!number) return false;
  transcript.pending(number, text);
  view.follow();
  draw();
  return true;
}

function cut() {
  const place = ledger.present();
  command('stop_reply', place ? { heard: place.seconds } : {});
  if (place) player.hush(place.reply);
}

async function newSession() {
  const asked = transcript.entries.length > 0 && !['ended', 'refused'].includes(connection.state);
  if (asked && !(await confirmed(
    'Start a new session?',
    'This page lets go of the present one. It is kept on the server, with all it remembers; the new one knows nothing of it.',
    'Start a new one',
  ))) return;
  microphoneOff();
  session.leave();
  if (ledger.reply) player.hush(ledger.reply);
  ledger.reset();
  restored = null;
  keep.only('client', 'key');
  begin();
}

async function endSession() {
  if (await confirmed(
    'End this session for good?',
    'What was said stays readable, but nobody can go on with it. To only leave, close this page.',
    'End it',
    true,
  )) command('end_session');
}

let loading = null;

/** Load messages that are older than the ones that are here. Resolves to whether there were any. */
function older() {
  loading ??= olderPage().catch(toast).finally(() => {
    loading = null;
    draw();
  });
  return loading;
}

async function olderPage() {
  let added = 0;
  do {
    const page = await rest.history(session.id, history.next, PAGE);
    history = { next: page.next, more: page.next !== null };
    added = transcript.prepend(page.messages);
  } while (!added && history.more);
  return added > 0;
}

async function showTurn(turn) {
  panel.show(false);
  while (!transcript.ofTurn(turn) && history.more && (await older()));
  const entry = transcript.ofTurn(turn);
  drawNow();
  if (entry) view.find(entry.key);
  else toast({ code: '', message: `Turn ${turn} is not in the transcript that is kept here.` }, true);
}

const acts = {
  superseded: () => session.connect(),
  ended: newSession,
  refused: newSession,
  locked: () => askKey(false),
  waiting: () => session.wake(),
};

// ----------------------------------------------------------------------------------- what is shown

let drawing = 0;

function draw() {
  drawing ||= requestAnimationFrame(drawNow);
}

function drawNow() {
  cancelAnimationFrame(drawing);
  drawing = 0;
  view.draw(transcript);
  panel.draw(transcript);
  $('older').hidden = !history.more;
  $('empty').hidden = transcript.entries.length > 0 || transcript.partial !== '' || !session.live;
  drawState();
}

function drawState() {
  const devices = { microphone: microphone.on, deaf: hears === 0, blocked };
  const { state, text, count, hint, act } = described(connection, transcript.status, devices, now());
  document.body.dataset.state = state;
  set($('state-text'), text);
  set($('state-count'), count);
  set($('hint'), hint);
  set($('act'), act);
  $('act').hidden = !act;
  const resting = connection.state in acts && connection.state !== 'waiting';
  $('cut').hidden = !session.live || !transcript.reply || transcript.status !== 'speaking';
  $('talk').disabled = resting || hears === 0;
  $('talk').setAttribute('aria-pressed', String(microphone.on));
  set($('talk-text'), microphone.on ? 'Stop the microphone' : 'Start the microphone');
  $('say').disabled = resting;
  $('send').disabled = resting || !$('say').value.trim();
  for (const id of ['new-conversation', 'end-session']) $(id).disabled = !session.live;
  panel.connection(session);
  const title = state === 'idle' ? 'Tenuto' : `${text} – Tenuto`;
  if (document.title !== title) document.title = title;
}

function set(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

// -------------------------------------------------------------------------------------- the wiring

$('talk').addEventListener('click', () => (microphone.on ? microphoneOff() : microphoneOn()));
$('cut').addEventListener('click', cut);
$('act').addEventListener('click', () => (blocked ? player.unlock() : acts[connection.state]?.()));
$('suggestion').addEventListener('click', () => say($('suggestion').textContent));
$('older').addEventListener('click', older);
$('new-conversation').addEventListener('click', () => command('start_conversation'));
$('new-session').addEventListener('click', newSession);
$('end-session').addEventListener('click', endSession);
$('write').addEventListener('submit', (event) => {
  event.preventDefault();
  const text = $('say').value.trim();
  if (text && say(text)) $('say').value = '';
  drawState();
});
$('say').addEventListener('input', drawState);
$('say').addEventListener('keydown', (event) => {
  if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  $('write').requestSubmit();
});
document.addEventListener('keydown', (event) => {
  player.unlock();
  if (event.key === 'Escape' && !$('cut').hidden && !document.querySelector('dialog[open]')) cut();
});
document.addEventListener('pointerdown', () => player.unlock());
document.addEventListener('visibilitychange', () => document.hidden || session.wake());
window.addEventListener('online', () => session.wake());
window.addEventListener('pagehide', () => keep.set({ ...session.keep(), heard: ledger.present() }));
window.addEventListener('pageshow', (event) => event.persisted && session.again());
new IntersectionObserver(([seen]) => seen.isIntersecting && history.more && older(), { root: $('scroll') })
  .observe($('older'));
setInterval(() => {
  mark();
  panel.tick();
  if (connection.state === 'waiting') drawState();
}, TICK);

begin();
microphoneAgain();
