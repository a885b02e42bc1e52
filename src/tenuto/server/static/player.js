/** The loudspeaker as the page sees it: frames in, and how much of which reply was heard out. */

const EARLY = 3000;

export class Player {
  #ledger;
  #on;
  #context = null;
  #node = null;
  #early = [];

  /**
   * @param {import('./ledger.js').Ledger} ledger
   * @param {{level: (power: number) => void, blocked: (blocked: boolean) => void}} on `blocked`: the browser plays nothing
   *   before the person has touched the page.
   */
  constructor(ledger, on) {
    this.#ledger = ledger;
    this.#on = on;
  }

  /** Whether the browser refuses to play for now. */
  get blocked() {
    return this.#context !== null && this.#context.state !== 'running';
  }

  /** Be ready for audio of this rate, in Hertz. */
  async prepare(rate) {
    if (!rate || rate === this.#context?.sampleRate) return;
    this.close();
    this.#ledger.rate = rate;
    const context = new AudioContext({ sampleRate: rate, latencyHint: 'interactive' });
    this.#context = context;
    context.onstatechange = () => this.#tell();
    await context.audioWorklet.addModule(new URL('player-worklet.js', import.meta.url));
    if (this.#context !== context) return;
    this.#node = new AudioWorkletNode(context, 'tenuto-player', { numberOfInputs: 0, outputChannelCount: [1] });
    this.#node.port.onmessage = ({ data }) => this.#played(data);
    this.#node.connect(context.destination);
    for (const frame of this.#early.splice(0)) this.#node.port.postMessage(frame);
    context.resume().catch(() => {});
  }

  /** Call from a click or a key: browsers want one before they play. */
  unlock() {
    this.#context?.resume().catch(() => {});
  }

  /** Play a frame that came from the server. */
  play(frame) {
    const accepted = this.#ledger.accept(frame, performance.now());
    if (!accepted) return;
    if (this.#node) this.#node.port.postMessage(accepted);
    else if (this.#early.length < EARLY) this.#early.push(accepted);
    if (this.blocked) this.#tell();
  }

  /** Stop this reply at once and drop what is buffered of it. */
  hush(reply) {
    this.#ledger.shut(reply);
    this.#early = this.#early.filter((frame) => frame.reply !== reply);
    this.#node?.port.postMessage({ hush: reply });
    this.#tell();
  }

  close() {
    this.#context?.close();
    this.#context = this.#node = null;
    this.#early = [];
  }

  #tell() {
    this.#on.blocked(this.blocked && this.#ledger.playing);
  }

  #played({ reply, offset, queued, power }) {
    const latency = this.#context ? this.#context.baseLatency + (this.#context.outputLatency || 0) : 0;
    this.#ledger.played(reply, offset, queued, latency);
    this.#on.level(power);
  }
}
