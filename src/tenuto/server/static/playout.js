/**
 * What waits to be played, in the order in which it came. Runs on the audio thread; knows no
 * browser.
 *
 * It begins, and begins again after it ran dry, when `ahead` samples wait or when it has waited
 * that long: that rides out the jitter of a network. Where sound stops it fades within two
 * milliseconds, because a step is a click.
 */
export class Playout {
  #queue = [];
  #used = 0;
  #waited = 0;
  #flowing = false;
  #last = 0;
  #fade;

  /** @param {number} rate Hertz. */
  constructor(rate, ahead = Math.round(rate * 0.06)) {
    this.ahead = ahead;
    this.#fade = Math.exp(-1 / (rate * 0.0005));
    /** Samples that wait. */
    this.queued = 0;
    /** The reply that was played last, and the offset that follows its last played sample. */
    this.reply = 0;
    this.offset = 0;
  }

  push(reply, offset, samples) {
    this.#queue.push({ reply, offset, samples });
    this.queued += samples.length;
  }

  /** Drop what waits of a reply. */
  hush(reply) {
    if (this.#queue[0]?.reply === reply) this.#used = 0;
    this.#queue = this.#queue.filter((frame) => frame.reply !== reply);
    this.#count();
    if (this.queued === 0) this.#flowing = false;
  }

  /**
   * Drop the oldest until at most `most` samples wait: for audio that is worth nothing when late.
   */
  shed(most) {
    while (this.queued > most) {
      this.#queue.shift();
      this.#used = 0;
      this.#count();
    }
  }

  /** Fill `output` with the next samples, -1 to 1. */
  pull(output) {
    if (!this.#flowing && this.queued > 0) {
      this.#waited += output.length;
      this.#flowing = this.queued >= this.ahead || this.#waited > this.ahead;
    }
    let filled = 0;
    while (this.#flowing && filled < output.length && this.#queue.length > 0) {
      const frame = this.#queue[0];
      const count = Math.min(output.length - filled, frame.samples.length - this.#used);
      for (let index = 0; index < count; index += 1) {
        output[filled + index] = frame.samples[this.#used + index] / 32768;
      }
      filled += count;
      this.#used += count;
      this.queued -= count;
      this.reply = frame.reply;
      this.offset = frame.offset + this.#used;
      if (this.#used === frame.samples.length) {
        this.#queue.shift();
        this.#used = 0;
      }
    }
    if (filled > 0) this.#last = output[filled - 1];
    if (filled < output.length) {
      this.#flowing = false;
      if (this.queued === 0) this.#waited = 0;
    }
    for (; filled < output.length; filled += 1) {
      this.#last *= this.#fade;
      output[filled] = this.#last;
    }
  }

  #count() {
    this.queued = this.#queue.reduce((sum, frame) => sum + frame.samples.length, 0) - this.#used;
  }
}
