/** What interrupts: a question before something final, the API key, and errors with what to do. */

import { make } from './view.js';

const LONG = 9000;

/** Ask before something that cannot be undone. Resolves to whether the answer was yes. */
export function confirmed(title, text, yes, grave = false) {
  document.getElementById('confirm-title').textContent = title;
  document.getElementById('confirm-text').textContent = text;
  document.getElementById('confirm-yes').textContent = yes;
  document.getElementById('confirm-yes').classList.toggle('grave', grave);
  return answered(document.getElementById('confirm'));
}

/** Ask for the API key. Resolves to it, or to an empty text when the dialog was closed. */
export async function askedKey(wrong) {
  const input = document.getElementById('key');
  document.getElementById('key-wrong').hidden = !wrong;
  input.value = '';
  return (await answered(document.getElementById('ask-key'))) ? input.value.trim() : '';
}

function answered(dialog) {
  if (dialog.open) dialog.close('no');
  dialog.returnValue = '';
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener('close', () => resolve(dialog.returnValue === 'yes'), { once: true });
  });
}

/** Say what went wrong: the code for whoever reports it, the message for whoever mends it. */
export function toast({ code = '', message }, calm = false) {
  const toasts = document.getElementById('toasts');
  for (const old of toasts.children) if (old.dataset.code === code) old.remove();
  const element = make('div', calm ? 'toast calm' : 'toast');
  element.dataset.code = code;
  const close = make('button', '', '×');
  close.type = 'button';
  close.setAttribute('aria-label', 'Dismiss');
  close.addEventListener('click', () => element.remove());
  element.append(make('span', '', message), close);
  if (code) element.append(make('span', 'code', code));
  toasts.append(element);
  while (toasts.children.length > 3) toasts.firstElementChild.remove();
  let timer = setTimeout(() => element.remove(), LONG);
  element.addEventListener('pointerenter', () => clearTimeout(timer));
  element.addEventListener('pointerleave', () => (timer = setTimeout(() => element.remove(), LONG / 3)));
}
