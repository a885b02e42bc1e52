import assert from 'node:assert/strict';
import test from 'node:test';
import { Resampler } from '../../src/tenuto/server/static/resample.js';

function through(from, to, pitch, seconds = 0.5) {
  const resampler = new Resampler(from, to);
  const output = [];
  for (let at = 0; at < from * seconds; at += 128) {
    const input = Float32Array.from({ length: 128 }, (_, index) => Math.sin((2 * Math.PI * pitch * (at + index)) / from));
    output.push(...resampler.push(input));
  }
  const steady = output.slice(output.length / 4, (output.length * 3) / 4);
  return { count: output.length, power: steady.reduce((sum, one) => sum + one * one, 0) / steady.length };
}

for (const from of [44100, 48000]) {
  test(`speech at ${from} Hz passes`, () => {
    const { count, power } = through(from, 16000, 1000);
    assert.ok(Math.abs(count - 8000) < 50, `${count} samples`);
    assert.ok(Math.abs(power - 0.5) < 0.02, `power ${power}`);
  });

  test(`what would alias at ${from} Hz does not pass`, () => {
    assert.ok(through(from, 16000, 12000).power < 0.0005);
  });
}

test('goes up too', () => {
  assert.ok(Math.abs(through(8000, 16000, 1000).power - 0.5) < 0.02);
});
