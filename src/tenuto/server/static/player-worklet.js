/** The loudspeaker on the audio thread. It tells the page 40 times a second what was played. */

import { Playout } from './playout.js';

class Player extends AudioWorkletProcessor {
  #playout = new Playout(sampleRate);
  #since = 0;
  #power = 0;
  #silent = true;

  constructor() {
    super();
    this.port.onmessage = ({ data }) => {
      if (data.hush !== undefined) {
        this.#playout.hush(data.hush);
        this.#report();
        return;
      }
      this.#playout.push(data.reply, data.offset, data.samples);
      if (data.reply === 0) this.#playout.shed(sampleRate / 2);
      this.#silent = false;
    };
  }

  process(_, [[channel]]) {
    this.#playout.pull(channel);
    for (const sample of channel) this.#power += sample * sample;
    this.#since += channel.length;
    if (this.#since >= sampleRate / 40 && !this.#silent) this.#report();
    return true;
  }

  #report() {
    const { reply, offset, queued } = this.#playout;
    this.port.postMessage({ reply, offset, queued, power: this.#power / Math.max(1, this.#since) });
    this.#silent = queued === 0 && this.#power === 0;
    this.#since = this.#power = 0;
  }
}

registerProcessor('tenuto-player', Player);
