import assert from 'node:assert/strict';
import test from 'node:test';
import { nearest, pack, unpack } from '../../src/tenuto/server/static/wire.js';

test('packs a frame of the microphone as the server reads it', () => {
  const bytes = [...new Uint8Array(pack(0x1_0000_0005, Int16Array.of(1, -2)))];
  assert.deepEqual(bytes, [1, 0, 0, 0, 5, 0, 0, 0, 1, 0, 0xfe, 0xff]);
});

test('reads a frame of a reply', () => {
  const frame = Uint8Array.of(2, 0, 7, 0, 0x10, 0, 0, 0, 1, 0, 0xfe, 0xff).buffer;
  assert.deepEqual(unpack(frame), { kind: 2, reply: 7, offset: 16, samples: Int16Array.of(1, -2) });
});

test('reads no other frame', () => {
  for (const bytes of [[2, 0, 1], [2, 1, 0, 0, 0, 0, 0, 0], [9, 0, 0, 0, 0, 0, 0, 0], [2, 0, 0, 0, 0, 0, 0, 0, 1]]) {
    assert.equal(unpack(Uint8Array.from(bytes).buffer), null);
  }
});

test('finds the number that was meant', () => {
  assert.deepEqual([nearest(3, 1), nearest(1, 65_535), nearest(65_535, 65_537), nearest(5, 200_000)], [3, 65_537, 65_535, 196_613]);
});
