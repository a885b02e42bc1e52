import assert from 'node:assert/strict';
import test from 'node:test';
import { claimTab, Keep } from '../../src/tenuto/server/static/keep.js';

class Storage {
  kept = new Map();
  getItem = (name) => this.kept.get(name) ?? null;
  setItem = (name, value) => this.kept.set(name, value);
}

/** Locks of one browser: a name is held until its tab is gone. */
class Locks {
  held = new Set();
  async request(name, { signal }, fn) {
    if (this.held.has(name)) {
      // A signal that times out keeps no process alive.
      const alive = setInterval(() => {}, 1000);
      await new Promise((resolve) => signal.addEventListener('abort', resolve));
      clearInterval(alive);
      throw signal.reason;
    }
    this.held.add(name);
    await fn();
  }
}

test('finds after a reload what it kept', () => {
  const storage = new Storage();
  new Keep(storage).set({ session: 's', token: 't' });
  assert.equal(new Keep(storage).get('token'), 't');
});

test('starts anew where nothing can be kept or read', () => {
  const storage = new Storage();
  storage.setItem('tenuto', '{broken');
  const keep = new Keep(storage);
  storage.setItem = () => {
    throw new Error('full');
  };
  keep.set({ session: 's' });
  assert.equal(keep.get('session'), 's');
});

test('forgets all but what it is told to keep', () => {
  const keep = new Keep(new Storage());
  keep.set({ session: 's', client: 'c' });
  keep.only('client');
  assert.deepEqual([keep.get('session'), keep.get('client')], [undefined, 'c']);
});

test('a duplicated tab is another client of the same session and leaves the token to the first', async () => {
  const [first, locks] = [new Keep(new Storage()), new Locks()];
  await claimTab(first, locks, 5);
  first.set({ session: 's', token: 't' });
  const copy = new Storage();
  copy.setItem('tenuto', first.storage.getItem('tenuto'));
  const second = new Keep(copy);
  await claimTab(second, locks, 5);
  assert.notEqual(second.get('client'), first.get('client'));
  assert.deepEqual([second.get('session'), second.get('token'), first.get('token')], ['s', '', 't']);
});
