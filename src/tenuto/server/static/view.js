/**
 * The transcript on the page: draws what is new of the entries, follows the newest, and finds cited
 * turns.
 */

import { divided } from './transcript.js';

const NEAR_END = 80;
const clock = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit' });

/** Make an element. Text is only ever text. */
export function make(tag, className = '', text = '') {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (text) element.textContent = text;
  return element;
}

export class View {
  #scroll = document.getElementById('scroll');
  #list = document.getElementById('transcript');
  #partial = document.getElementById('partial');
  #latest = document.getElementById('latest');
  #drawn = new Map();
  #opened = new Set();
  #follow = true;
  #oncite;

  /** @param {(turn: number) => void} oncite A cited turn was pressed. */
  constructor(oncite) {
    this.#oncite = oncite;
    this.#scroll.addEventListener('scroll', () => {
      const left = this.#scroll.scrollHeight - this.#scroll.scrollTop - this.#scroll.clientHeight;
      this.#follow = left < NEAR_END;
      this.#latest.hidden = this.#follow;
    });
    this.#latest.addEventListener('click', () => {
      this.#follow = true;
      this.#toEnd();
    });
    // A page that grows or shrinks (a phone's keyboard) still shows its newest line.
    new ResizeObserver(() => this.#follow && this.#toEnd()).observe(this.#scroll);
  }

  /** Draw a transcript. Cheap when little has changed. */
  draw({ entries, partial, partialNote }) {
    const height = this.#scroll.scrollHeight;
    const before = this.#list.firstElementChild;
    const keys = new Set(entries.map(({ key }) => key));
    for (const [key, { element }] of this.#drawn) {
      if (!keys.has(key)) {
        element.remove();
        this.#drawn.delete(key);
      }
    }
    let next = this.#list.firstElementChild;
    for (const entry of entries) {
      let drawn = this.#drawn.get(entry.key);
      if (!drawn) {
        drawn = { element: make('li'), rev: 0 };
        this.#drawn.set(entry.key, drawn);
      }
      if (drawn.rev !== entry.rev) {
        this.#entry(drawn.element, entry);
        drawn.rev = entry.rev;
      }
      if (drawn.element === next) next = next.nextElementSibling;
      else this.#list.insertBefore(drawn.element, next);
    }
    const text = partial || partialNote || '';
    if (this.#partial.textContent !== text) this.#partial.textContent = text;
    this.#partial.hidden = !text;
    if (this.#follow) this.#toEnd();
    else if (before && before !== this.#list.firstElementChild) {
      this.#scroll.scrollTop += this.#scroll.scrollHeight - height;
    }
  }

  /** Show an entry, and make it seen. */
  find(key) {
    const element = this.#drawn.get(key)?.element;
    if (!element) return;
    this.#follow = false;
    const calm = matchMedia('(prefers-reduced-motion: reduce)').matches;
    element.scrollIntoView({ block: 'center', behavior: calm ? 'auto' : 'smooth' });
    element.classList.remove('found');
    void element.offsetWidth;
    element.classList.add('found');
  }

  /** Follow the newest entry again. */
  follow() {
    this.#follow = true;
    this.#toEnd();
  }

  #toEnd() {
    this.#scroll.scrollTop = this.#scroll.scrollHeight;
    this.#latest.hidden = true;
  }

  #entry(element, entry) {
    if (entry.kind === 'reply') return this.#reply(element, entry);
    if (entry.kind === 'conversation') {
      element.className = 'entry divider';
      element.textContent = entry.at ? `${entry.text}, ${clock.format(entry.at * 1000)}` : entry.text;
      return undefined;
    }
    const role = { message: entry.role, pending: 'user pending' }[entry.kind] ?? 'system';
    element.className = `entry ${role}`;
    const text = entry.kind === 'alarm' ? `Alarm: ${entry.text || 'time is up'}` : entry.text;
    const who = make('span', 'hidden-text', role.startsWith('user') ? 'You: ' : '');
    const line = make('p', 'text', text);
    line.prepend(who);
    element.replaceChildren(line);
    if (entry.kind === 'pending') element.append(make('p', 'meta', 'sending'));
    else if (entry.kind === 'message') element.append(this.#meta(entry, entry.by === 'voice' ? 'spoken' : ''));
    return undefined;
  }

  #reply(element, entry) {
    element.className = `entry agent ${entry.state}`;
    if (entry.state === 'open' && !entry.message) {
      this.#words(element, entry);
      return;
    }
    const { heard, rest } = divided(entry);
    const line = make('p', 'text', heard);
    line.prepend(make('span', 'hidden-text', 'Tenuto: '));
    const meta = this.#meta(entry);
    if (entry.state === 'cut') this.#cut(line, meta, entry, heard, rest);
    element.replaceChildren(line, meta);
  }

  #cut(line, meta, entry, heard, rest) {
    if (!heard) line.append(make('span', 'unheard', 'Not heard.'));
    else line.append(make('span', 'unheard', ' …'));
    if (!rest) return;
    const struck = make('s', 'rest', ` ${rest}`);
    const more = make('button', 'link');
    more.type = 'button';
    const label = heard ? 'cut here; show the rest' : 'show what was said';
    const show = (shown) => {
      struck.hidden = !shown;
      more.textContent = shown ? 'hide what was not heard' : label;
      more.setAttribute('aria-expanded', String(shown));
      if (shown) this.#opened.add(entry.key);
      else this.#opened.delete(entry.key);
    };
    more.addEventListener('click', () => show(struck.hidden));
    show(this.#opened.has(entry.key));
    line.append(struck);
    meta.prepend(more);
  }

  /**
   * A reply that grows: words are added once and only change their class, so that a screen reader
   * says each one once.
   */
  #words(element, entry) {
    let line = element.querySelector('p.growing');
    if (!line) {
      line = make('p', 'text growing');
      line.append(make('span', 'hidden-text', 'Tenuto: '));
      element.replaceChildren(line);
    }
    const known = line.querySelectorAll('.word').length;
    const text = entry.segments.map((segment) => segment.text.trim()).join(' ');
    const words = text.match(/\S+\s*/g) ?? [];
    for (const word of words.slice(known)) line.append(make('span', 'word', word.endsWith(' ') ? word : `${word} `));
    let place = 0;
    line.querySelectorAll('.word').forEach((span, index) => {
      place += words[index]?.trimEnd().length ?? 0;
      span.classList.toggle('ahead', place > entry.length);
      place += 1;
    });
  }

  #meta(entry, note = '') {
    const meta = make('p', 'meta');
    if (entry.at) {
      const time = make('time', '', clock.format(entry.at * 1000));
      time.dateTime = new Date(entry.at * 1000).toISOString();
      meta.append(time);
    }
    if (note) meta.append(make('span', '', note));
    for (const turn of entry.cites ?? []) meta.append(this.cite(turn));
    return meta;
  }

  /** A small link to a turn. */
  cite(turn) {
    const link = make('button', 'link', `from turn ${turn}`);
    link.type = 'button';
    link.addEventListener('click', () => this.#oncite(turn));
    return link;
  }
}
