/** The margin: what is remembered, what will ring, and which session this is. */

import { make } from './view.js';

/** Return `1:05` or `2:00:00` for seconds. */
export function countdown(seconds) {
  const whole = Math.max(0, Math.ceil(seconds));
  const [hours, minutes, rest] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const padded = (number) => String(number).padStart(2, '0');
  return hours ? `${hours}:${padded(minutes)}:${padded(rest)}` : `${minutes}:${padded(rest)}`;
}

export class Panel {
  #panel = document.getElementById('panel');
  #toggle = document.getElementById('panel-toggle');
  #memories = document.getElementById('memories');
  #alarms = document.getElementById('alarms');
  #connection = document.getElementById('connection');
  #shown = '';
  #known = null;
  #restored = -1;
  #cite;

  /** @param {(turn: number) => HTMLElement} cite Makes a link to a turn. */
  constructor(cite) {
    this.#cite = cite;
    this.#toggle.addEventListener('click', () => this.show(!this.#panel.classList.contains('shown')));
    document.getElementById('panel-close').addEventListener('click', () => this.show(false));
    this.#panel.addEventListener('keydown', (event) => {
      if (event.key !== 'Escape' || !this.#panel.classList.contains('shown')) return;
      event.stopPropagation();  // Nothing else that Escape does, such as stopping the reply.
      this.show(false);
    });
  }

  /** Open or close it, where the page is too narrow to have both. */
  show(shown) {
    this.#panel.classList.toggle('shown', shown);
    this.#toggle.setAttribute('aria-expanded', String(shown));
    if (shown) document.getElementById('panel-close').focus();
    else if (this.#panel.contains(document.activeElement)) this.#toggle.focus();
  }

  /** Draw memories and alarms, if they are others than before. */
  draw({ memories, alarms, restored }) {
    const now = JSON.stringify([restored, [...memories.keys()], [...alarms.keys()]]);
    if (now === this.#shown) return;
    this.#shown = now;
    const known = this.#restored === restored ? this.#known : null;
    this.#restored = restored;
    this.#known = new Set(memories.keys());
    this.#memories.replaceChildren(...[...memories.values()].map((memory) => {
      const item = make('li', known && !known.has(memory.memory) ? 'fresh' : '');
      item.append(make('span', '', memory.content));
      if (memory.turn) {
        const aside = make('span', 'aside');
        aside.append(this.#cite(memory.turn));
        item.append(aside);
      }
      return item;
    }));
    document.getElementById('memories-none').hidden = memories.size > 0;
    document.getElementById('memory-count').textContent = String(memories.size);
    const due = [...alarms.values()].sort((one, other) => one.due - other.due);
    this.#alarms.replaceChildren(...due.map((alarm) => {
      const item = make('li');
      const left = make('span', 'aside countdown');
      left.dataset.due = alarm.due;
      item.append(make('span', '', alarm.text || 'Timer'), left);
      return item;
    }));
    document.getElementById('alarms-section').hidden = alarms.size === 0;
    this.tick();
  }

  /** Count down. */
  tick(now = Date.now() / 1000) {
    for (const element of this.#alarms.querySelectorAll('.countdown')) {
      const left = Number(element.dataset.due) - now;
      element.classList.toggle('due', left <= 5);
      const text = left > 0 ? countdown(left) : 'now';
      if (element.textContent !== text) element.textContent = text;
    }
  }

  /**
   * Say which session this is, how far it is known, and how often it was tried to reach it since it
   * was last there.
   */
  connection({ id, position, attempts }) {
    const parts = [`…${id.slice(-8)}`, `position ${position}`, `attempts ${attempts}`];
    if (this.#connection.textContent === parts.join('')) return;
    this.#connection.replaceChildren(...parts.map((part) => make('span', '', part)));
  }
}
