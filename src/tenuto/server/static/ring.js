/**
 * The last seconds of the microphone, with offsets: what a lost network swallowed can be sent again
 * from here.
 */
export class Ring {
  #data;

  /** @param {number} capacity Samples that are kept; older ones are overwritten. */
  constructor(capacity) {
    this.#data = new Int16Array(capacity);
    /** The offset of the next sample. Counts from the beginning of the stream. */
    this.end = 0;
  }

  /** The offset of the oldest sample that is kept. */
  get start() {
    return Math.max(0, this.end - this.#data.length);
  }

  append(samples) {
    const size = this.#data.length;
    const kept = samples.length > size ? samples.subarray(samples.length - size) : samples;
    const at = (this.end + samples.length - kept.length) % size;
    const first = Math.min(kept.length, size - at);
    this.#data.set(kept.subarray(0, first), at);
    this.#data.set(kept.subarray(first), 0);
    this.end += samples.length;
  }

  /**
   * Return `{offset, samples}`: at most `count` samples from `from` on, or from the oldest that is
   * left.
   */
  read(from, count) {
    const size = this.#data.length;
    const offset = Math.min(Math.max(from, this.start), this.end);
    const samples = new Int16Array(Math.max(0, Math.min(count, this.end - offset)));
    const at = offset % size;
    const first = Math.min(samples.length, size - at);
    samples.set(this.#data.subarray(at, at + first));
    samples.set(this.#data.subarray(0, samples.length - first), first);
    return { offset, samples };
  }
}
