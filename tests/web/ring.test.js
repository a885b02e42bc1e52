import assert from 'node:assert/strict';
import test from 'node:test';
import { Ring } from '../../src/tenuto/server/static/ring.js';

const run = (from, count) => Int16Array.from({ length: count }, (_, index) => from + index);

test('gives back what it took, by offset', () => {
  const ring = new Ring(10);
  ring.append(run(0, 3));
  ring.append(run(3, 2));
  assert.deepEqual(ring.read(1, 3), { offset: 1, samples: run(1, 3) });
});

test('keeps the newest and says where it begins', () => {
  const ring = new Ring(10);
  for (let at = 0; at < 28; at += 4) ring.append(run(at, 4));
  assert.equal(ring.start, 18);
  assert.deepEqual(ring.read(0, 100), { offset: 18, samples: run(18, 10) });
});

test('takes more at once than it keeps', () => {
  const ring = new Ring(10);
  ring.append(run(0, 7));
  ring.append(run(7, 25));
  assert.deepEqual(ring.read(30, 10), { offset: 30, samples: run(30, 2) });
  assert.deepEqual(ring.read(0, 10), { offset: 22, samples: run(22, 10) });
});

test('has nothing beyond its end', () => {
  const ring = new Ring(10);
  ring.append(run(0, 4));
  assert.deepEqual(ring.read(9, 3), { offset: 4, samples: run(0, 0) });
});
