/**
 * The microphone's way to the server: a ring of 30 s, a cursor, and a pace.
 *
 * In the present a frame leaves as it comes. After a reconnect, and when the server has lost its
 * engine, the cursor goes back to where the server asks, and the lane catches up at 3.5 times real time, which stays under the server's limit
 * of 128 KiB a second at 16 kHz. What is older than the ring is lost; the offsets say so.
 */

import { pack } from './wire.js';
import { Ring } from './ring.js';

const KEPT = 30;
const PACE = 3.5;
const CROWDED = 64 * 1024;

export class Lane {
  #io;
  #ring;
  #frame;
  #cursor = 0;
  #open = false;
  #budget = 0;
  #counted = 0;
  #cancel = null;
  #waiting = [];

  /**
   * @param {{send: (frame: ArrayBuffer) => void, buffered: () => number, now: () => number,
   *   after: (ms: number, fn: () => void) => () => void}} io `now` in milliseconds; `after` returns
   * its undoing.
   * @param {number} rate Hertz.
   */
  constructor(io, rate = 16000) {
    this.#io = io;
    this.rate = rate;
    this.#frame = rate / 50;
    this.#ring = new Ring(rate * KEPT);
  }

  /** The offset of the next sample. */
  get end() {
    return this.#ring.end;
  }

  /** Samples that wait to be sent. */
  get behind() {
    return this.#ring.end - Math.max(this.#cursor, this.#ring.start);
  }

  /** Take samples from the microphone. */
  hear(samples) {
    this.#ring.append(samples);
    this.#pump();
  }

  /** Return the first sample that is kept from this one on. */
  place(from) {
    return Math.max(this.#ring.start, Math.min(from, this.#ring.end));
  }

  /** The server takes audio from this sample on. */
  begin(from) {
    this.#cursor = this.place(from);
    this.#open = true;
    this.#counted = this.#io.now();
    this.#budget = this.#frame;
    this.#pump();
  }

  /** Nobody takes audio; it waits in the ring. */
  hold() {
    this.#open = false;
    this.#cancel?.();
    this.#cancel = null;
  }

  /** Call `fn` once everything that was heard until now is sent. */
  drained(fn) {
    this.#waiting.push(fn);
    this.#pump();
  }

  #pump() {
    if (!this.#open) return;
    const now = this.#io.now();
    const earned = ((now - this.#counted) / 1000) * this.rate * PACE;
    this.#budget = Math.min(this.#budget + earned, this.rate / 4);
    this.#counted = now;
    while (this.behind > 0 && this.#budget >= 1 && this.#io.buffered() < CROWDED) {
      const { offset, samples } = this.#ring.read(this.#cursor, this.#frame);
      this.#io.send(pack(offset, samples));
      this.#cursor = offset + samples.length;
      this.#budget -= samples.length;
    }
    if (this.behind > 0) {
      this.#cancel ??= this.#io.after(20, () => {
        this.#cancel = null;
        this.#pump();
      });
    } else {
      for (const fn of this.#waiting.splice(0)) fn();
    }
  }
}
