import assert from 'node:assert/strict';
import test from 'node:test';
import { backoff, Session } from '../../src/tenuto/server/static/session.js';
import { Clock, Socket } from './fakes.js';

const settle = () => new Promise((resolve) => setImmediate(resolve));

/** A session, everything it did, and the world it lives in. */
class Bench {
  clock = new Clock();
  sockets = [];
  seen = [];
  tickets = 0;
  streaming = false;
  failing = null;

  constructor(kept = {}) {
    const take = (name) => (...rest) => this.seen.push([name, ...rest]);
    this.session = new Session(
      {
        now: this.clock.now,
        after: this.clock.after,
        random: () => 0.5,
        streaming: () => this.streaming,
        present: () => ({ loudspeaker: {} }),
        create: async () => this.#rest('made'),
        ticket: async () => this.#rest(`t${(this.tickets += 1)}`),
        open: (address, protocols) => {
          this.sockets.push(new Socket(address, protocols));
          return this.sockets.at(-1);
        },
      },
      Object.fromEntries(
        ['state', 'attached', 'snapshot', 'event', 'live', 'tell', 'audio', 'hush', 'rewind', 'error', 'settled', 'changed'].map(
          (name) => [name, take(name)],
        ),
      ),
      { client: 'me', ...kept },
    );
  }

  #rest(value) {
    if (this.failing) throw this.failing;
    return value;
  }

  get socket() {
    return this.sockets.at(-1);
  }

  did(name) {
    return this.seen.filter(([one]) => one === name).map(([, ...rest]) => rest);
  }

  async dial() {
    this.session.connect();
    await settle();
    this.socket.open();
  }

  attached(more = {}) {
    this.socket.give({
      type: 'attached', session: 's', epoch: 'e', attachment: 1, role: 'controller', mode: 'replay', recovered: true,
      head: 0, token: `k${this.sockets.length}`, commands: 0, beat: 5, mic: 0, hears: 16000, speaks: 22050, ...more,
    });
  }

  async live(more = {}) {
    await this.dial();
    this.attached(more);
    this.socket.give({ type: 'live', head: 0 });
  }

  /** Wait until it connects again. */
  async back() {
    const count = this.sockets.length;
    this.clock.pass(this.clock.next);
    await settle();
    assert.equal(this.sockets.length, count + 1, 'it did not come back');
  }
}

test('makes a session, gets a ticket, and attaches without a past', async () => {
  const bench = new Bench();
  await bench.dial();
  assert.deepEqual(bench.socket.protocols, ['tenuto.v1', 'tenuto.t.t1']);
  assert.deepEqual(bench.socket.sent, [{ type: 'attach', session: 'made', client: 'me', loudspeaker: {} }]);
});

test('comes back with its token and what it has', async () => {
  const bench = new Bench();
  await bench.live();
  bench.socket.give({ type: 'event', position: 1, event: { type: 'a' } });
  bench.socket.drop();
  await bench.back();
  bench.socket.open();
  assert.deepEqual(bench.socket.protocols, ['tenuto.v1']);
  const [attach] = bench.socket.sent;
  assert.deepEqual([attach.token, attach.have], ['k1', { epoch: 'e', position: 1 }]);
});

test('hands on each event once, in order', async () => {
  const bench = new Bench();
  await bench.live();
  for (const position of [1, 2]) bench.socket.give({ type: 'event', position, event: { type: `e${position}` } });
  bench.socket.drop();
  await bench.back();
  bench.socket.open();
  bench.attached();
  for (const position of [2, 3]) bench.socket.give({ type: 'event', position, event: { type: `e${position}` } });
  bench.socket.give({ type: 'live', head: 3 });
  assert.deepEqual(bench.did('event'), [
    [{ type: 'e1' }, 1, true], [{ type: 'e2' }, 2, true], [{ type: 'e3' }, 3, false],
  ]);
});

test('starts from a snapshot where the server says so', async () => {
  const bench = new Bench();
  await bench.dial();
  bench.attached({ mode: 'snapshot' });
  bench.socket.give({ type: 'snapshot', position: 40, state: { messages: [] } });
  bench.socket.give({ type: 'event', position: 41, event: {} });
  assert.deepEqual([bench.session.position, bench.did('snapshot').length], [41, 1]);
});

test('forgets its position when the journal is another one', async () => {
  const bench = new Bench();
  await bench.live();
  bench.socket.give({ type: 'event', position: 7, event: {} });
  bench.socket.drop();
  await bench.back();
  bench.socket.open();
  bench.attached({ epoch: 'other', mode: 'snapshot' });
  bench.socket.give({ type: 'event', position: 1, event: {} });
  assert.equal(bench.did('event').length, 2);
});

test('takes a ticket when its token is refused, and rests when that is refused too', async () => {
  const bench = new Bench({ session: 's', token: 'old' });
  await bench.dial();
  assert.equal(bench.socket.sent[0].token, 'old');
  bench.socket.drop(4003);
  await bench.back();
  assert.deepEqual(bench.socket.protocols, ['tenuto.v1', 'tenuto.t.t1']);
  bench.socket.open();
  assert.equal(bench.socket.sent[0].token, undefined);
  bench.socket.give({ type: 'error', code: 'session_not_found', message: 'There is no such session.' });
  bench.socket.drop(4003);
  assert.equal(bench.session.state, 'refused');
  assert.equal(bench.did('state').at(-1)[1].message, 'There is no such session.');
});

test('tries its ticket where an upgrade with its token fails', async () => {
  const bench = new Bench({ session: 's', token: 'old' });
  bench.session.connect();
  await settle();
  bench.socket.drop();
  await bench.back();
  assert.equal(bench.socket.protocols.length, 2);
  bench.socket.drop();
  await bench.back();
  assert.equal(bench.socket.protocols.length, 1);
});

test('wants a key when REST says so, and comes back when asked', async () => {
  const bench = new Bench();
  bench.failing = { status: 401, code: 'authentication_failed' };
  bench.session.connect();
  await settle();
  assert.equal(bench.session.state, 'locked');
  bench.failing = null;
  await bench.live();
  assert.equal(bench.session.state, 'live');
});

test('rests on a final refusal and waits on one that may pass', async () => {
  for (const [problem, state] of [
    [{ status: 404, code: 'session_not_found' }, 'refused'],
    [{ status: 409, code: 'session_ended' }, 'ended'],
    [{ status: 409, code: 'session_locked', retryable: true }, 'waiting'],
    [{ status: 503, code: 'draining', retryable: true }, 'waiting'],
    [{ status: 0, code: 'network' }, 'waiting'],
  ]) {
    const bench = new Bench({ session: 's' });
    bench.failing = problem;
    bench.session.connect();
    await settle();
    assert.equal(bench.session.state, state, problem.code);
  }
});

test('never takes back what a newer client took, until asked', async () => {
  const bench = new Bench();
  await bench.live();
  bench.socket.drop(4001);
  bench.clock.pass(60_000);
  bench.session.wake();
  await settle();
  assert.deepEqual([bench.session.state, bench.sockets.length], ['superseded', 1]);
  bench.session.connect();
  await settle();
  assert.equal(bench.sockets.length, 2);
});

test('ends when the session ends', async () => {
  const bench = new Bench();
  await bench.live();
  bench.socket.drop(4000);
  assert.equal(bench.session.state, 'ended');
});

test('comes back at once, then after 0.3 s, then later and later', async () => {
  const bench = new Bench({ session: 's', token: 'k' });
  const waits = [];
  bench.session.connect();
  await settle();
  for (let attempt = 0; attempt < 8; attempt += 1) {
    bench.socket.drop();
    waits.push(bench.clock.next / 1000);
    await bench.back();
  }
  assert.deepEqual(waits, [0, 0.3, 0.6, 1, 1, 1, 1, 1]);
});

test('is never away for long while the microphone still holds all that was said, and then more rarely', async () => {
  const bench = new Bench({ session: 's', token: 'k' });
  const waits = [];
  bench.session.connect();
  await settle();
  for (let attempt = 0; attempt < 8; attempt += 1) {
    bench.clock.pass(5_000);
    bench.socket.drop();
    waits.push(bench.clock.next / 1000);
    await bench.back();
  }
  assert.deepEqual(waits.slice(0, 4), [0, 0.3, 0.6, 1]);
  assert.deepEqual(waits.slice(-1), [5]);
});

test('spares a server that asks to be spared', async () => {
  const bench = new Bench();
  await bench.live();
  const waits = [];
  for (let attempt = 0; attempt < 6; attempt += 1) {
    bench.socket.drop(4100);
    waits.push(bench.clock.next / 1000);
    await bench.back();
  }
  assert.deepEqual(waits.slice(-1), [4.8]);
});

test('draws its pauses from the whole range', () => {
  assert.deepEqual([0, 1, 2, 9].map((attempt) => backoff(attempt, () => 0)), [0, 0.3, 0, 0]);
  assert.deepEqual([0, 1, 2, 9].map((attempt) => backoff(attempt, () => 1)), [0, 0.3, 1.2, 10]);
});

test('a connection that was steady forgives the attempts before it', async () => {
  for (const [steady, wait] of [[1_000, 300], [3_000, 0]]) {
    const bench = new Bench();
    await bench.live();
    bench.socket.drop();
    await bench.back();
    bench.socket.drop();
    await bench.back();
    bench.socket.open();
    bench.attached();
    bench.session.attempts = 1;
    bench.socket.give({ type: 'live', head: 0 });
    bench.session.attempts = 1;
    bench.clock.pass(steady);
    bench.socket.drop();
    assert.equal(bench.clock.next, wait);
  }
});

test('backs off when the server is overloaded, and waits as long as a moved server says', async () => {
  const bench = new Bench();
  await bench.live();
  bench.socket.drop(4100);
  assert.equal(bench.clock.next, 600);
  await bench.back();
  bench.socket.open();
  bench.attached();
  bench.socket.give({ type: 'moved', url: 'wss://b.example', after: 3 });
  bench.socket.drop(4202);
  assert.ok(bench.clock.next >= 3000);
  await bench.back();
  assert.equal(bench.socket.address.url, 'wss://b.example');
});

test('wakes at once when the network is back', async () => {
  const bench = new Bench({ session: 's', token: 'k' });
  bench.session.connect();
  await settle();
  for (let attempt = 0; attempt < 5; attempt += 1) {
    bench.socket.drop();
    bench.session.wake();
    await settle();
  }
  assert.equal(bench.sockets.length, 6);
});

test('beats every five seconds, and takes twelve of silence for death', async () => {
  const bench = new Bench();
  await bench.live();
  bench.clock.pass(10_500);
  assert.equal(bench.socket.sent.filter(({ type }) => type === 'beat').length, 3);
  bench.clock.pass(3_000);
  assert.notEqual(bench.session.state, 'live');
});

test('takes silence for death sooner while audio flows, but never before a late beat', async () => {
  for (const [beat, alive, dead] of [[2, 5_500, 7_500], [5, 7_500, 9_500]]) {
    const bench = new Bench();
    bench.streaming = true;
    await bench.live({ beat });
    bench.clock.pass(alive);
    assert.equal(bench.session.state, 'live');
    bench.clock.pass(dead - alive);
    assert.notEqual(bench.session.state, 'live');
  }
});

test('any frame is proof of life', async () => {
  const bench = new Bench();
  await bench.live();
  for (let second = 0; second < 30; second += 1) {
    bench.clock.pass(1_000);
    bench.socket.give({ type: 'tell', kind: 'partial', body: {} });
  }
  assert.equal(bench.session.state, 'live');
});

test('answers the server’s beat when its own timers are slow', async () => {
  const bench = new Bench();
  await bench.live();
  const before = bench.socket.sent.length;
  bench.clock.time += 4_500;
  bench.socket.give({ type: 'beat', mic: 0 });
  assert.equal(bench.socket.sent.length, before + 1);
});

test('gives up an attach that nobody answers', async () => {
  const bench = new Bench();
  await bench.dial();
  bench.clock.pass(9_900);
  assert.equal(bench.session.state, 'attaching');
  bench.clock.pass(100);
  await settle();
  assert.equal(bench.sockets.length, 2);
});

test('sends a command again until it is answered, once', async () => {
  const bench = new Bench();
  await bench.live();
  for (const text of ['one', 'two', 'three']) bench.session.command('send_message', { text });
  bench.socket.give({ type: 'ok', number: 1, position: 5 });
  bench.socket.drop();
  await bench.back();
  bench.socket.open();
  bench.attached({ commands: 2 });
  assert.deepEqual(bench.socket.sent.filter(({ type }) => type === 'command').map(({ number }) => number), [3]);
  bench.socket.give({ type: 'no', number: 3, code: 'invalid_input', message: 'Empty.' });
  assert.deepEqual(bench.did('settled').map(([{ number }, refused]) => [number, refused?.code]), [
    [1, undefined], [2, undefined], [3, 'invalid_input'],
  ]);
});

test('keeps for a reload what is not answered, and numbers on', async () => {
  const first = new Bench();
  await first.live();
  first.session.command('send_message', { text: 'one' });
  const second = new Bench(JSON.parse(JSON.stringify(first.session.keep())));
  await second.dial();
  assert.equal(second.socket.sent[0].token, 'k1');
  second.attached();
  assert.equal(second.session.command('end_session'), 2);
  assert.deepEqual(second.socket.sent.filter(({ type }) => type === 'command').map(({ number }) => number), [1, 2]);
});

test('waits to be live before it sends, and refuses to pile up', async () => {
  const bench = new Bench();
  for (let count = 0; count < 256; count += 1) bench.session.command('stop_listening');
  assert.throws(() => bench.session.command('stop_listening'), { code: 'quota_exceeded' });
});

test('does not hear a socket that it has let go', async () => {
  const bench = new Bench();
  await bench.live();
  const old = bench.socket;
  bench.session.again();
  await settle();
  old.give({ type: 'event', position: 1, event: {} });
  old.drop(4001);
  assert.deepEqual([bench.did('event').length, bench.session.state], [0, 'connecting']);
});

test('says goodbye when it leaves', async () => {
  const bench = new Bench();
  await bench.live();
  bench.session.leave();
  assert.deepEqual(bench.socket.sent.at(-1), { type: 'bye', reason: 'left' });
  assert.equal(bench.session.state, 'left');
});

test('skips what it does not know', async () => {
  const bench = new Bench();
  await bench.live();
  bench.socket.give({ type: 'from_the_future' });
  bench.socket.onmessage({ data: 'not json' });
  assert.equal(bench.did('error').length, 1);
  assert.equal(bench.session.state, 'live');
});

test('shows another ticket when its credentials end, and comes back with a ticket later', async () => {
  const bench = new Bench();
  await bench.live();
  bench.socket.give({ type: 'auth_soon', seconds: 60 });
  bench.socket.give({ type: 'auth_soon', seconds: 59 });
  await settle();
  assert.deepEqual(bench.socket.sent.filter(({ type }) => type === 'auth'), [{ type: 'auth', ticket: 't2' }]);
  bench.socket.give({ type: 'authorized', seconds: 7200 });
  assert.equal(bench.session.state, 'live');
  bench.socket.drop();
  await bench.back();
  assert.deepEqual(bench.socket.protocols, ['tenuto.v1', 'tenuto.t.t3']);
});

test('shares one ticket between all who want another one at once', async () => {
  const bench = new Bench();
  await bench.live();
  await Promise.all(Array.from({ length: 20 }, () => bench.session.renew()));
  assert.equal(bench.tickets, 2);
});

test('asks for another ticket again when the server was away, and not when it was refused', async () => {
  const bench = new Bench();
  await bench.live();
  bench.failing = { status: 503 };
  bench.socket.give({ type: 'auth_soon', seconds: 60 });
  await settle();
  assert.equal(bench.session.state, 'live');
  bench.failing = null;
  bench.clock.pass(5_000);
  await settle();
  assert.equal(bench.socket.sent.at(-1).type, 'auth');
  bench.failing = { status: 401 };
  bench.socket.give({ type: 'auth_soon', seconds: 60 });
  await settle();
  const asked = bench.tickets;
  bench.failing = null;
  bench.clock.pass(5_500);
  await settle();
  assert.equal(bench.tickets, asked, 'a refusal was not taken for an answer');
});

test('a ticket that comes when the connection is gone is of no use to the next one', async () => {
  const bench = new Bench();
  await bench.live();
  const renewing = bench.session.renew();
  bench.socket.drop();
  await renewing;
  await bench.back();
  bench.socket.open();
  assert.ok(!bench.sockets.some(({ sent }) => sent.some(({ type }) => type === 'auth')));
});

test('is asked for the microphone again, and says where it begins before it sends it', async () => {
  const bench = new Bench();
  await bench.live();
  bench.socket.sent.length = 0;
  bench.socket.give({ type: 'rewind', mic: 640 });
  assert.deepEqual(bench.did('rewind'), [[640]]);
  bench.session.rewound(960);
  bench.session.audio(new ArrayBuffer(8));
  assert.deepEqual(bench.socket.sent[0], { type: 'rewind', mic: 960 });
  assert.equal(bench.socket.sent.length, 2);
});
