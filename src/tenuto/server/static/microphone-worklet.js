/** The microphone on the audio thread: frames of 20 ms, 16-bit, at the rate that was asked for. */

import { Resampler } from './resample.js';

class Microphone extends AudioWorkletProcessor {
  #resampler;
  #frame;
  #filled = 0;
  #size;

  constructor({ processorOptions: { rate } }) {
    super();
    this.#resampler = new Resampler(sampleRate, rate);
    this.#size = rate / 50;
    this.#frame = new Int16Array(this.#size);
  }

  process([[channel]]) {
    if (!channel) return true;
    for (const sample of this.#resampler.push(channel)) {
      this.#frame[this.#filled] = Math.max(-1, Math.min(1, sample)) * 32767;
      this.#filled += 1;
      if (this.#filled === this.#size) {
        this.port.postMessage(this.#frame, [this.#frame.buffer]);
        this.#frame = new Int16Array(this.#size);
        this.#filled = 0;
      }
    }
    return true;
  }
}

registerProcessor('tenuto-microphone', Microphone);
