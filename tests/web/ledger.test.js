import assert from 'node:assert/strict';
import test from 'node:test';
import { Ledger } from '../../src/tenuto/server/static/ledger.js';

const RATE = 1000;

function ledger(reply = 1, now = 0) {
  const made = new Ledger();
  made.rate = RATE;
  made.begin(reply, now);
  return made;
}

const frame = (reply, offset, count) => ({ reply, offset, samples: new Int16Array(count) });

test('counts what was heard, less the way to the ear', () => {
  const made = ledger();
  made.accept(frame(1, 0, 500), 0);
  made.played(1, 300, 200, 0.05);
  assert.equal(made.heard, 0.25);
  made.played(1, 500, 0, 0.05);
  assert.equal(made.heard, 0.5);
});

test('plays what comes twice once', () => {
  const made = ledger();
  made.accept(frame(1, 0, 500), 0);
  assert.equal(made.accept(frame(1, 100, 400), 0), null);
  const rest = made.accept(frame(1, 400, 300), 0);
  assert.deepEqual([rest.offset, rest.samples.length], [500, 200]);
});

test('goes on where the reply goes on after a reload', () => {
  const made = new Ledger();
  made.rate = RATE;
  made.begin(7, 0, 1.5);
  assert.deepEqual(made.present(), { reply: 7, seconds: 1.5 });
  assert.equal(made.accept(frame(7, 1500, 100), 0).offset, 1500);
  made.played(7, 1550, 50);
  assert.equal(made.heard, 1.55);
});

test('marks every 250 ms while it moves', () => {
  const made = ledger();
  made.accept(frame(1, 0, 5000), 0);
  const marks = [];
  for (let now = 1000; now < 2000; now += 50) {
    made.played(1, now - 900, 4000);
    const mark = made.mark(now);
    if (mark) marks.push(now);
  }
  assert.deepEqual(marks, [1000, 1250, 1500, 1750]);
});

test('says that a reply is done when all is played and nothing comes for 400 ms', () => {
  const made = ledger();
  made.last(1, 0);
  made.accept(frame(1, 0, 1000), 0);
  made.played(1, 1000, 0);
  assert.equal(made.mark(399).done, false);
  assert.deepEqual(made.mark(650), { reply: 1, seconds: 1, done: true });
  assert.equal(made.mark(700), null);
});

test('is not done before its last segment, nor while audio waits', () => {
  const made = ledger();
  made.accept(frame(1, 0, 1000), 0);
  made.played(1, 1000, 0);
  assert.equal(made.mark(5000)?.done, false);
  made.last(1, 5000);
  made.accept(frame(1, 1000, 100), 5000);
  assert.equal(made.mark(9000)?.done ?? false, false);
});

test('says done again on a new connection, and every two seconds, until the reply is over', () => {
  const made = ledger();
  made.last(1, 0);
  made.accept(frame(1, 0, 100), 0);
  made.played(1, 100, 0);
  assert.equal(made.mark(1000).done, true);
  assert.equal(made.mark(2000), null);
  assert.equal(made.mark(3000).done, true);
  made.attached(4000);
  assert.equal(made.mark(4500).done, true);
  made.shut(1);
  assert.equal(made.mark(9000), null);
});

test('says done after a reload even if there is no audio left', () => {
  const made = new Ledger();
  made.rate = RATE;
  made.begin(3, 0, 2);
  assert.equal(made.mark(2000), null);
  assert.deepEqual(made.mark(3000), { reply: 3, seconds: 2, done: true });
});

test('says that nothing was heard while the browser plays nothing', () => {
  const made = ledger();
  made.accept(frame(1, 0, 1000), 0);
  const marks = [];
  for (let now = 0; now <= 4000; now += 100) {
    const mark = made.mark(now);
    if (mark) marks.push(mark);
  }
  assert.ok(marks.length >= 4, `${marks.length} marks`);
  assert.ok(marks.every(({ seconds, done }) => seconds === 0 && !done));
});

test('drops what comes of a reply that was cut, and takes the next', () => {
  const made = ledger(4);
  made.accept(frame(4, 0, 1000), 0);
  made.shut(4);
  assert.equal(made.accept(frame(4, 1000, 100), 0), null);
  assert.equal(made.present(), null);
  assert.equal(made.accept(frame(3, 0, 100), 0), null);
  assert.equal(made.accept(frame(5, 0, 100), 0).reply, 5);
});

test('knows a reply by its number modulo 65,536', () => {
  const made = ledger(65_535);
  assert.equal(made.accept(frame(1, 0, 10), 0).reply, 65_537);
});

test('passes relayed audio on and does not count it', () => {
  const made = ledger();
  assert.equal(made.accept(frame(0, 0, 10), 0).reply, 0);
  assert.equal(made.present().seconds, 0);
});
