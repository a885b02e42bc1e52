import assert from 'node:assert/strict';
import test from 'node:test';
import { Playout } from '../../src/tenuto/server/static/playout.js';

const QUANTUM = 128;

function pull(playout, quanta = 1) {
  const all = new Float32Array(quanta * QUANTUM);
  for (let at = 0; at < quanta; at += 1) playout.pull(all.subarray(at * QUANTUM, (at + 1) * QUANTUM));
  return all;
}

const loud = (count) => new Int16Array(count).fill(16384);

test('waits for 60 ms, then plays', () => {
  const playout = new Playout(16000);
  playout.push(1, 0, loud(900));
  assert.equal(pull(playout)[127], 0);
  playout.push(1, 900, loud(100));
  assert.equal(pull(playout)[0], 0.5);
  assert.deepEqual([playout.reply, playout.offset, playout.queued], [1, QUANTUM, 1000 - QUANTUM]);
});

test('plays a short sound too', () => {
  const playout = new Playout(16000);
  playout.push(1, 0, loud(100));
  pull(playout, 10);
  assert.deepEqual([playout.offset, playout.queued], [100, 0]);
});

test('counts in the reply’s own samples', () => {
  const playout = new Playout(16000, 0);
  playout.push(2, 5000, loud(200));
  pull(playout, 2);
  assert.equal(playout.offset, 5200);
});

test('drops a hushed reply within a quantum, and without a click', () => {
  const playout = new Playout(16000, 0);
  playout.push(1, 0, loud(4000));
  pull(playout, 2);
  playout.hush(1);
  const after = pull(playout, 2);
  assert.equal(playout.queued, 0);
  assert.ok(after[0] < 0.5 && after[0] > 0.3);
  assert.ok(after[QUANTUM - 1] < 0.001);
});

test('keeps the next reply when one is hushed', () => {
  const playout = new Playout(16000, 0);
  playout.push(1, 0, loud(300));
  playout.push(2, 0, loud(300));
  pull(playout);
  playout.hush(1);
  assert.equal(playout.queued, 300);
  pull(playout);
  assert.deepEqual([playout.reply, playout.offset], [2, QUANTUM]);
});

test('sheds what is late', () => {
  const playout = new Playout(16000, 0);
  for (let at = 0; at < 50; at += 1) playout.push(0, at * 320, loud(320));
  playout.shed(8000);
  assert.equal(playout.queued, 8000);
});
