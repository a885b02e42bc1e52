/**
 * What outlives a reload, in this tab only: sessionStorage, which no other site and no other tab
 * can read.
 *
 * A browser copies it when a tab is duplicated. Two tabs with one resume token would void each
 * other's, so a tab holds a lock of its client's name for as long as it lives, and one that does
 * not get the lock is another client of the same session.
 */

const NAME = 'tenuto';

export class Keep {
  #kept;

  constructor(storage = sessionStorage) {
    this.storage = storage;
    try {
      this.#kept = JSON.parse(storage.getItem(NAME)) ?? {};
    } catch {
      this.#kept = {};
    }
  }

  get(name) {
    return this.#kept[name];
  }

  set(values) {
    Object.assign(this.#kept, values);
    try {
      this.storage.setItem(NAME, JSON.stringify(this.#kept));
    } catch {
      // Storage that is full or forbidden costs the reload, not the conversation.
    }
  }

  /** Forget everything but these names. */
  only(...names) {
    const left = Object.entries(this.#kept).filter(([name]) => names.includes(name));
    this.#kept = Object.fromEntries(left);
    this.set({});
  }
}

/** Return a random name. */
export function randomName() {
  return Array.from(crypto.getRandomValues(new Uint8Array(12)), (byte) => byte.toString(16).padStart(2, '0')).join('');
}

/**
 * Make sure that this tab is a client of its own: a duplicated one takes a new name and leaves the
 * token to the first.
 */
export async function claimTab(keep, locks = navigator.locks, patience = 400) {
  if (!keep.get('client')) keep.set({ client: randomName() });
  if (!locks) return;
  if (await held(locks, keep.get('client'), patience)) return;
  keep.set({ client: randomName(), token: '', next: 1, pending: [], heard: null, microphone: false });
  await held(locks, keep.get('client'), patience);
}

function held(locks, client, patience) {
  // A page that is being reloaded gives its lock up a moment after the next one has begun.
  return new Promise((resolve) => {
    locks
      .request(`${NAME}:${client}`, { signal: AbortSignal.timeout(patience) }, () => {
        resolve(true);
        return new Promise(() => {});
      })
      .catch(() => resolve(false));
  });
}
