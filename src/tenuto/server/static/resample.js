/**
 * A streaming resampler for speech, for browsers whose microphone cannot be opened at the rate that
 * is wanted.
 *
 * A windowed sinc of 32 zero crossings, its cut-off at 0.45 of the lower rate: speech passes,
 * aliases do not.
 */

const CROSSINGS = 16;

export class Resampler {
  #step;
  #cutoff;
  #reach;
  #tail = new Float32Array(0);
  #at;

  constructor(from, to) {
    this.#step = from / to;
    this.#cutoff = 0.9 * Math.min(1, to / from);
    this.#reach = Math.ceil(CROSSINGS / Math.min(1, to / from));
    this.#tail = new Float32Array(this.#reach);
    this.#at = this.#reach;
  }

  /** Take samples at the one rate and return the samples at the other that are complete by now. */
  push(samples) {
    if (this.#step === 1) return samples;
    const input = new Float32Array(this.#tail.length + samples.length);
    input.set(this.#tail);
    input.set(samples, this.#tail.length);
    const output = [];
    while (this.#at + this.#reach < input.length) {
      output.push(this.#sample(input, this.#at));
      this.#at += this.#step;
    }
    const done = Math.max(0, Math.floor(this.#at) - this.#reach);
    this.#tail = input.slice(done);
    this.#at -= done;
    return Float32Array.from(output);
  }

  #sample(input, at) {
    const first = Math.ceil(at - this.#reach);
    const last = Math.floor(at + this.#reach);
    let sum = 0;
    for (let index = Math.max(0, first); index <= last; index += 1) {
      const distance = at - index;
      const x = Math.PI * distance * this.#cutoff;
      const sinc = x === 0 ? 1 : Math.sin(x) / x;
      const window = 0.5 + 0.5 * Math.cos((Math.PI * distance) / (this.#reach + 1));
      sum += input[index] * sinc * window;
    }
    return sum * this.#cutoff;
  }
}
