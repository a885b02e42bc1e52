/**
 * One line of state and one of advice, from what the connection, the session and the devices say.
 * Pure.
 */

const STATUS = {
  idle: 'Idle',
  listening: 'Listening',
  processing: 'Processing',
  speaking: 'Speaking',
  error: 'Error',
};

const ADVICE = {
  idle: 'Say something; I answer when you pause.',
  listening: 'I hear you.',
  processing: 'One moment.',
  speaking: 'Speak over it to interrupt.',
  error: 'The engine failed. Type, or try again in a moment.',
};

const RESTING = {
  superseded: ['Opened elsewhere', 'Another window has the controls now. Nothing is lost.', 'Take it back here'],
  ended: ['Ended', 'This session has ended. What was said stays readable here.', 'Start a new session'],
  refused: ['Not available', '', 'Start a new session'],
  locked: ['Locked', 'This server wants an API key.', 'Enter the key'],
  left: ['Gone', '', ''],
};

/**
 * @param {{state: string, until?: number, message?: string, returning: boolean}} connection `until` in milliseconds;
 *   `returning` once it has been live.
 * @param {string} status What the server says the session does.
 * @param {{microphone: boolean, deaf: boolean, blocked: boolean}} devices `deaf`: the engine takes no audio.
 * @returns {{state: string, text: string, count: string, hint: string, act: string}} `state` colours the page; `count` is
 *   left out by screen readers; `act` names the one thing to press, if there is one.
 */
export function described(connection, status, devices, now) {
  const resting = RESTING[connection.state];
  if (resting) {
    const [text, hint, act] = resting;
    return { state: 'broken', text, count: '', hint: connection.message || hint, act };
  }
  if (connection.state !== 'live' && connection.state !== 'catching_up') return away(connection, devices, now);
  const known = STATUS[status] ? status : 'idle';
  const said = { state: known, text: STATUS[known], count: '', act: '' };
  if (devices.blocked) {
    return { ...said, hint: 'The browser stays silent until you touch the page.', act: 'Play the reply' };
  }
  if (devices.deaf) return { ...said, hint: 'This engine only reads. Type below.' };
  if (devices.microphone || known === 'error') return { ...said, hint: ADVICE[known] };
  const hint = known === 'speaking' ? 'Press the button or type to answer.' : 'Press the button and speak, or type.';
  return { ...said, hint };
}

function away({ state, until = 0, returning }, devices, now) {
  const seconds = state === 'waiting' ? Math.ceil((until - now) / 1000) : 0;
  const hint = devices.microphone
    ? 'Go on speaking: the last 30 seconds are kept and sent.'
    : 'What you type now is kept and sent.';
  if (!returning && state !== 'waiting') return { state: 'processing', text: 'Connecting', count: '', hint: '', act: '' };
  const count = seconds > 0 ? ` in ${seconds} s` : '';
  return { state: 'broken', text: 'Reconnecting', count, hint, act: seconds > 0 ? 'Try now' : '' };
}
