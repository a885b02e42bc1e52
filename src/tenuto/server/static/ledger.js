/**
 * What was sent of a reply, what was heard of it, and when to say so. Pure: the player plays, the
 * ledger counts.
 *
 * Heard is a place in the reply's own audio, in seconds, so it survives a reconnect: what comes a
 * second time is trimmed, and what is missing moves the place on. Only one reply is counted at a
 * time, the newest.
 */

import { nearest } from './wire.js';

const EVERY = 250;
const QUIET = 400;
const AGAIN = 2000;
const SILENT = 3000;

export class Ledger {
  #end;
  #last;
  #shut;
  #queued;
  #arrived;
  #marked;
  #said;
  #done;

  constructor() {
    /** Hertz of the replies' audio. */
    this.rate = 0;
    this.reset();
  }

  /** Forget every reply: another session begins. */
  reset() {
    /** The reply that is counted; 0 for none. */
    this.reply = 0;
    /** Seconds of it that came out of the loudspeaker. */
    this.heard = 0;
    this.#end = null;
    this.#last = this.#done = false;
    this.#shut = true;
    this.#queued = this.#arrived = this.#marked = 0;
    this.#said = -1;
  }

  /** Whether a reply is being played or waits to be. */
  get playing() {
    return !this.#shut && this.#queued > 0;
  }

  /**
   * A reply has begun; or it goes on after a reload, with `heard` seconds of it heard and perhaps
   * no audio left to come.
   */
  begin(reply, now, heard = null) {
    if (reply < this.reply || (reply === this.reply && (heard === null || !this.#shut))) return;
    this.reply = reply;
    this.heard = heard ?? 0;
    this.#end = null;
    this.#shut = this.#done = false;
    this.#last = heard !== null;
    this.#queued = 0;
    this.#arrived = now;
    this.#said = -1;
  }

  /** Its last segment is known. */
  last(reply, now) {
    if (reply !== this.reply || this.#last) return;
    this.#last = true;
    if (this.#end === null) this.#arrived = now;
  }

  /** It has ended or was cut: nothing more of it is played or counted. */
  shut(reply) {
    if (reply >= this.reply) {
      this.reply = reply;
      this.#shut = true;
      this.#queued = 0;
    }
  }

  /** A new connection: a `done` may have been lost with the old one. */
  attached(now) {
    this.#done = false;
    this.#said = -1;
    this.#arrived = now;
  }

  /** Return `{reply, offset, samples}`: what of a frame is to be played; null when nothing is. */
  accept({ reply: low, offset, samples }, now) {
    if (low === 0) return { reply: 0, offset, samples };
    const reply = nearest(low, this.reply);
    if (reply < this.reply) return null;
    if (reply > this.reply) this.begin(reply, now);
    if (this.#shut) return null;
    const known = this.#end ?? offset;
    const skip = Math.max(0, known - offset);
    if (skip >= samples.length) return null;
    this.#end = offset + samples.length;
    this.#queued += samples.length - skip;
    this.#arrived = now;
    this.#done = false;
    return { reply, offset: offset + skip, samples: samples.subarray(skip) };
  }

  /**
   * The player has come this far.
   * @param {number} latency Seconds between the player and the ear.
   */
  played(reply, offset, queued, latency = 0) {
    if (reply !== this.reply || this.#shut) return;
    this.#queued = queued;
    if (this.rate) this.heard = Math.max(this.heard, offset / this.rate - (queued > 0 ? latency : 0));
  }

  /**
   * Return the mark to send now, `{reply, seconds, done}`, or null. `done` means that all that came
   * was played; the server knows whether more is to come. It is said again every two seconds, until
   * the server ends the reply. While audio waits and cannot be played, a mark a second says that it
   * was not heard.
   */
  mark(now) {
    if (this.#shut) return null;
    const quiet = now - this.#arrived;
    const drained = this.#end === null ? quiet >= SILENT : this.#queued === 0 && quiet >= QUIET;
    const done = this.#last && drained;
    const moved = this.heard !== this.#said && this.#end !== null;
    let pause = moved ? EVERY : AGAIN / 2;
    if (done) pause = this.#done ? AGAIN : 0;
    if (now - this.#marked < pause || (!done && !moved && this.#queued === 0)) return null;
    this.#marked = now;
    this.#said = this.heard;
    this.#done = done;
    return { reply: this.reply, seconds: this.#round(), done };
  }

  /** Return what an attach says of the open reply; null when there is none. */
  present() {
    return this.#shut || !this.reply ? null : { reply: this.reply, seconds: this.#round() };
  }

  #round() {
    return Math.round(this.heard * 1000) / 1000;
  }
}
