import assert from 'node:assert/strict';
import test from 'node:test';
import { divided, heardLength, Transcript } from '../../src/tenuto/server/static/transcript.js';

const said = (message, role, text, more = {}) => ({
  type: 'message.added', message, role, text, turn: 1, conversation: 'c1', at: 1, ...more,
});

function fold(...events) {
  const transcript = new Transcript('me');
  for (const event of events) transcript.apply(event);
  return transcript;
}

const REPLY = [
  { type: 'reply.started', reply: 1, turn: 1, aloud: true, at: 1 },
  { type: 'reply.segment', reply: 1, index: 0, text: 'One two.' },
  { type: 'reply.segment', reply: 1, index: 1, text: 'Three four.', last: true, cites: [3] },
];

test('shows what was heard while it is heard, then the message', () => {
  const transcript = fold();
  transcript.tell('partial', { text: 'my na' });
  assert.equal(transcript.partial, 'my na');
  transcript.apply(said(1, 'user', 'My name is Alice', { by: 'voice' }));
  assert.equal(transcript.partial, '');
  assert.deepEqual(transcript.entries.map(({ kind, role, text }) => [kind, role, text]), [
    ['message', 'user', 'My name is Alice'],
  ]);
});

test('a reply grows by segments, and what was heard of it by time', () => {
  const transcript = fold(...REPLY);
  const [entry] = transcript.entries;
  assert.deepEqual([entry.state, entry.length, entry.cites], ['open', 0, [3]]);
  const before = entry.rev;
  transcript.heard(1, 0.8);
  assert.equal('One two. Three four.'.slice(0, entry.length), 'One two.');
  assert.ok(entry.rev > before);
  transcript.heard(1, 0.2);
  assert.equal(entry.seconds, 0.8);
});

test('a segment that comes again changes nothing', () => {
  assert.equal(fold(...REPLY, REPLY[1]).entries[0].segments.length, 2);
});

test('a reply that ends becomes its message', () => {
  const transcript = fold(...REPLY, { type: 'reply.ended', reply: 1, heard: 1.4 }, said(1, 'agent', 'One two. Three four.', { reply: 1 }));
  assert.equal(transcript.entries.length, 1);
  const [entry] = transcript.entries;
  assert.deepEqual([entry.state, entry.text, entry.message, transcript.reply], ['ended', 'One two. Three four.', 1, null]);
});

test('a cut reply keeps what was heard, and what was said beside it', () => {
  const transcript = fold(
    ...REPLY,
    { type: 'reply.cut', reply: 1, reason: 'barge_in', heard: 0.9 },
    said(1, 'agent', 'One two. Three', { reply: 1, said: 'One two. Three four.' }),
  );
  const [entry] = transcript.entries;
  assert.equal(entry.state, 'cut');
  assert.deepEqual(divided(entry), { heard: 'One two. Three', rest: 'four.' });
});

test('a reply of which nothing was heard says so', () => {
  const transcript = fold(...REPLY, { type: 'reply.cut', reply: 1, reason: 'text' }, said(1, 'agent', '', { reply: 1, said: 'One two. Three four.' }));
  assert.deepEqual(divided(transcript.entries[0]), { heard: '', rest: 'One two. Three four.' });
});

test('the history says what was not heard, after a reload too', () => {
  const transcript = fold();
  transcript.restore({ messages: [said(1, 'agent', 'One', { said: 'One two.' })] });
  assert.equal(transcript.entries[0].state, 'cut');
});

test('what was typed waits below until it is durable', () => {
  const transcript = fold();
  transcript.pending(4, 'hello');
  transcript.apply(said(1, 'agent', 'Late.'));
  assert.deepEqual(transcript.entries.map(({ kind }) => kind), ['reply', 'pending']);
  transcript.apply(said(2, 'user', 'hello', { cause: 'you:4' }));
  assert.equal(transcript.entries.at(-1).kind, 'pending');
  transcript.apply(said(3, 'user', 'hello', { cause: 'me:4' }));
  assert.deepEqual(transcript.entries.map(({ kind }) => kind), ['reply', 'message', 'message']);
});

test('a snapshot takes the place of everything but what waits', () => {
  const transcript = fold(said(1, 'user', 'old'), { type: 'memory.added', memory: 1, content: 'old' });
  transcript.pending(1, 'mine');
  transcript.restore({
    session: 's', conversation: 'c2', status: 'speaking',
    messages: [said(7, 'user', 'a'), said(8, 'agent', 'b', { conversation: 'c2' })],
    reply: { reply: 5, turn: 9, segments: ['One two.', { text: 'Three.' }], heard: 0.9, aloud: true },
    memories: [{ memory: 2, content: 'new' }],
    alarms: [{ alarm: 1, due: 5, text: 'tea' }],
  });
  assert.deepEqual(transcript.entries.map(({ kind }) => kind), ['message', 'conversation', 'reply', 'reply', 'pending']);
  assert.equal(transcript.oldest, 7);
  assert.equal(transcript.reply.segments.length, 2);
  assert.ok(transcript.reply.length > 0);
  assert.deepEqual([...transcript.memories.keys()], [2]);
  assert.equal(transcript.status, 'speaking');
});

test('a snapshot may say little', () => {
  const transcript = fold();
  transcript.restore({});
  assert.deepEqual([transcript.entries, transcript.status], [[], 'idle']);
});

test('older messages come before, each once', () => {
  const transcript = fold(said(5, 'user', 'five'));
  assert.equal(transcript.prepend([said(3, 'user', 'three'), said(4, 'agent', 'four'), said(5, 'user', 'five')]), 2);
  assert.deepEqual(transcript.entries.map(({ text }) => text), ['three', 'four', 'five']);
  assert.equal(transcript.prepend([said(3, 'user', 'three')]), 0);
});

test('memories come and go', () => {
  const transcript = fold(
    { type: 'memory.added', memory: 1, content: 'Rome' },
    { type: 'memory.removed', memory: 1, reason: 'superseded' },
    { type: 'memory.added', memory: 2, content: 'Paris' },
  );
  assert.deepEqual([...transcript.memories.values()].map(({ content }) => content), ['Paris']);
});

test('an alarm that rings leaves the list and a line', () => {
  const transcript = fold({ type: 'alarm.set', alarm: 1, due: 9, text: 'tea' }, { type: 'alarm.rang', alarm: 1, at: 9 });
  assert.equal(transcript.alarms.size, 0);
  assert.deepEqual(transcript.entries.map(({ kind, text }) => [kind, text]), [['alarm', 'tea']]);
});

test('conversations are set apart, but not the first', () => {
  const start = (conversation) => ({ type: 'conversation.started', conversation, at: 1 });
  const transcript = fold(start('c1'), said(1, 'user', 'a'), start('c2'));
  assert.deepEqual(transcript.entries.map(({ kind }) => kind), ['message', 'conversation']);
  assert.equal(transcript.conversation, 'c2');
});

test('an event of a later version changes nothing', () => {
  assert.deepEqual(fold({ type: 'from.the_future' }).entries, []);
});

test('counts whole words only', () => {
  assert.equal(heardLength('Hello there', 0.1), 0);
  assert.equal('Hello there'.slice(0, heardLength('Hello there', 0.5)), 'Hello');
  assert.equal(heardLength('Hello there', 5), 11);
});
