/** The microphone as the page sees it: on or off, and frames of 20 ms while it is on. */

/** Why there is no microphone; `message` says what to do. */
export class NoMicrophone extends Error {
  constructor(code, message) {
    super(message);
    this.code = code;
  }
}

const REASONS = {
  NotAllowedError: [
    'microphone_denied',
    'The browser may not use the microphone. Allow it beside the address bar, then press the button again; or type.',
  ],
  NotFoundError: ['microphone_missing', 'No microphone was found. Plug one in and press again; or type.'],
  NotReadableError: [
    'microphone_busy',
    'The microphone does not answer. Close the program that uses it and press again; or type.',
  ],
};

export class Microphone {
  #onframe;
  #onlost;
  #media = null;
  #context = null;

  /**
   * @param {(samples: Int16Array) => void} onframe
   * @param {() => void} onlost The device went away by itself.
   */
  constructor(onframe, onlost) {
    this.#onframe = onframe;
    this.#onlost = onlost;
  }

  get on() {
    return this.#media !== null;
  }

  /** Open it. Throws `NoMicrophone`. */
  async start(rate) {
    if (this.on) return;
    if (!navigator.mediaDevices) {
      throw new NoMicrophone(
        'insecure_page',
        'Browsers open microphones only on https:// pages or on http://127.0.0.1. Use one of these; or type.',
      );
    }
    try {
      this.#media = await navigator.mediaDevices.getUserMedia({
        audio: { channelCount: 1, echoCancellation: true, noiseSuppression: true, autoGainControl: true },
      });
      await this.#listen(rate);
    } catch (error) {
      await this.stop();
      const [code, message] = REASONS[error.name] ?? ['microphone_failed', `The microphone failed: ${error.message}`];
      throw new NoMicrophone(code, message);
    }
  }

  async #listen(rate) {
    const [track] = this.#media.getAudioTracks();
    track.onended = () => {
      this.stop();
      this.#onlost();
    };
    let source;
    try {
      this.#context = new AudioContext({ sampleRate: rate, latencyHint: 'interactive' });
      source = this.#context.createMediaStreamSource(this.#media);
    } catch {
      // Firefox joins a microphone only to a context of the device's own rate; the worklet
      // resamples then.
      this.#context?.close();
      this.#context = new AudioContext({ latencyHint: 'interactive' });
      source = this.#context.createMediaStreamSource(this.#media);
    }
    const context = this.#context;
    await context.audioWorklet.addModule(new URL('microphone-worklet.js', import.meta.url));
    const worklet = new AudioWorkletNode(context, 'tenuto-microphone', {
      channelCount: 1,
      channelCountMode: 'explicit',
      processorOptions: { rate },
    });
    worklet.port.onmessage = ({ data }) => this.#context === context && this.#onframe(data);
    // Nothing is pulled through a node that leads nowhere; it writes no output, so this is silent.
    source.connect(worklet).connect(context.destination);
    await context.resume();
  }

  /** Close it. Safe at any time. */
  async stop() {
    const [media, context] = [this.#media, this.#context];
    this.#media = this.#context = null;
    for (const track of media?.getTracks() ?? []) {
      track.onended = null;
      track.stop();
    }
    if (context && context.state !== 'closed') await context.close();
  }
}

/**
 * Return how loud a mean power is, from 0 (silence) to 1 (as loud as speech gets), on a scale of
 * decibels.
 */
export function loudness(power) {
  const decibels = 10 * Math.log10(power + 1e-9);
  return Math.max(0, Math.min(1, (decibels + 60) / 50));
}

/** Return the mean power of 16-bit samples, 0 to 1. */
export function powerOf(samples) {
  let sum = 0;
  for (const sample of samples) sum += sample * sample;
  return sum / Math.max(1, samples.length) / 32768 ** 2;
}
