/**
 * The live level: what was loud in the last two seconds, going out from the button to both sides.
 */

const BARS = 96;

export class Wave {
  #canvas = document.getElementById('wave');
  #talk = document.getElementById('talk');
  #levels = new Float32Array(BARS);
  #level = 0;
  #running = false;
  #calm = matchMedia('(prefers-reduced-motion: reduce)');

  /** It is so loud now, 0 to 1. */
  set level(value) {
    this.#level = Math.max(this.#level, value);
    if (!this.#running) {
      this.#running = true;
      requestAnimationFrame(() => this.#step());
    }
  }

  #step() {
    this.#levels.copyWithin(1, 0);
    this.#levels[0] = this.#level;
    this.#talk.style.setProperty('--level', this.#level.toFixed(2));
    this.#level *= 0.78;
    if (this.#level < 0.01) this.#level = 0;
    this.#draw();
    this.#running = this.#level > 0 || this.#levels.some((level) => level > 0.02);
    if (this.#running) requestAnimationFrame(() => this.#step());
    else this.#talk.style.setProperty('--level', '0');
  }

  #draw() {
    const { clientWidth: width, clientHeight: height } = this.#canvas;
    const scale = devicePixelRatio || 1;
    if (this.#canvas.width !== Math.round(width * scale)) {
      this.#canvas.width = Math.round(width * scale);
      this.#canvas.height = Math.round(height * scale);
    }
    const pen = this.#canvas.getContext('2d');
    pen.setTransform(scale, 0, 0, scale, 0, 0);
    pen.clearRect(0, 0, width, height);
    pen.fillStyle = getComputedStyle(document.body).getPropertyValue('--now');
    const clear = this.#talk.clientWidth / 2 + 18;
    const count = Math.min(BARS / 2, Math.floor((width / 2 - clear) / 6));
    for (let bar = 0; bar < count; bar += 1) {
      const level = this.#calm.matches ? this.#levels[0] : this.#levels[bar * 2];
      const tall = 3 + level * height * 0.55;
      pen.globalAlpha = (0.75 * (1 - bar / count)) * Math.min(1, level * 6);
      for (const x of [width / 2 + clear + bar * 6, width / 2 - clear - bar * 6 - 3]) {
        pen.beginPath();
        pen.roundRect(x, (height - tall) / 2, 3, tall, 1.5);
        pen.fill();
      }
    }
    pen.globalAlpha = 1;
  }
}
