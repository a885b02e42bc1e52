import assert from 'node:assert/strict';
import test from 'node:test';
import { described } from '../../src/tenuto/server/static/state.js';

const QUIET = { microphone: false, deaf: false, blocked: false };
const live = { state: 'live', returning: true };

for (const [status, text] of [['idle', 'Idle'], ['listening', 'Listening'], ['processing', 'Processing'], ['speaking', 'Speaking'], ['new', 'Idle']]) {
  test(`${status} is called ${text}`, () => assert.equal(described(live, status, QUIET, 0).text, text));
}

test('counts down to the next attempt', () => {
  const said = described({ state: 'waiting', until: 4200, returning: true }, 'idle', QUIET, 1000);
  assert.deepEqual([said.text, said.count, said.act], ['Reconnecting', ' in 4 s', 'Try now']);
});

test('the first connection is no reconnection', () => {
  assert.equal(described({ state: 'connecting', returning: false }, 'idle', QUIET, 0).text, 'Connecting');
});

test('a session that was opened elsewhere is taken back by hand', () => {
  assert.equal(described({ state: 'superseded' }, 'speaking', QUIET, 0).act, 'Take it back here');
});

test('says why nothing is heard', () => {
  assert.equal(described(live, 'speaking', { ...QUIET, blocked: true }, 0).act, 'Play the reply');
  assert.match(described(live, 'idle', { ...QUIET, deaf: true }, 0).hint, /only reads/);
});
