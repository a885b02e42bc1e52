import assert from 'node:assert/strict';
import test from 'node:test';
import { Lane } from '../../src/tenuto/server/static/lane.js';
import { unpack } from '../../src/tenuto/server/static/wire.js';
import { Clock } from './fakes.js';

const FRAME = 320;

function bench() {
  const clock = new Clock();
  const sent = [];
  const world = { crowded: 0 };
  const lane = new Lane(
    { now: clock.now, after: clock.after, buffered: () => world.crowded, send: (frame) => sent.push(unpack(frame)) },
  );
  const speak = (frames) => {
    for (let count = 0; count < frames; count += 1) {
      clock.pass(20);
      lane.hear(new Int16Array(FRAME).fill(count));
    }
  };
  return { clock, sent, lane, speak, world };
}

test('sends a frame as it comes', () => {
  const { sent, lane, speak } = bench();
  lane.begin(0);
  speak(3);
  assert.deepEqual(sent.map(({ kind, offset, samples }) => [kind, offset, samples.length]), [
    [1, 0, FRAME], [1, FRAME, FRAME], [1, 2 * FRAME, FRAME],
  ]);
});

test('goes back to where the server asks, without a gap, at 3.5 times real time', () => {
  const { clock, sent, lane, speak } = bench();
  lane.begin(0);
  speak(50);
  lane.hold();
  speak(100);
  sent.length = 0;
  lane.begin(25 * FRAME);
  clock.pass(1_000);
  assert.equal(sent[0].offset, 25 * FRAME);
  assert.ok(sent.every(({ offset }, index) => offset === (25 + index) * FRAME));
  assert.equal(sent.length, 125);
});

test('never goes faster than its pace', () => {
  const { clock, sent, lane, speak } = bench();
  speak(1000);
  lane.begin(0);
  clock.pass(1_000);
  assert.ok(sent.length >= 170 && sent.length <= 190, `${sent.length} frames in a second`);
});

test('begins at the oldest that is left', () => {
  const { sent, lane, speak } = bench();
  speak(1600);
  lane.begin(0);
  assert.equal(sent[0].offset, 100 * FRAME);
});

test('waits while the socket is crowded', () => {
  const { clock, sent, lane, speak, world } = bench();
  lane.begin(0);
  world.crowded = 1e6;
  speak(5);
  assert.equal(sent.length, 0);
  world.crowded = 0;
  clock.pass(200);
  assert.equal(sent.length, 5);
});

test('says when everything is sent', () => {
  const { clock, lane, speak } = bench();
  let drained = 0;
  speak(20);
  lane.drained(() => (drained += 1));
  assert.equal(drained, 0);
  lane.begin(0);
  clock.pass(500);
  assert.equal(drained, 1);
});

test('goes back again when the server has lost what it was sent', () => {
  const { clock, sent, lane, speak } = bench();
  lane.begin(0);
  speak(10);
  sent.length = 0;
  assert.deepEqual([lane.place(4 * FRAME), lane.place(99 * FRAME)], [4 * FRAME, 10 * FRAME]);
  lane.begin(4 * FRAME);
  speak(2);
  clock.pass(200);
  assert.deepEqual(sent.map(({ offset }) => offset / FRAME), [4, 5, 6, 7, 8, 9, 10, 11]);
  speak(1600);
  assert.equal(lane.place(0), 112 * FRAME, 'the oldest that is kept');
});
