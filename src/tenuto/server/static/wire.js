/**
 * The bytes of tenuto.v1: the head of an audio frame, and numbers that come back modulo a power of
 * two.
 *
 * A frame is eight bytes, little-endian (kind, a zero, the reply modulo 65,536, the offset of the
 * first sample modulo 2^32), then 16-bit PCM of one channel. Every browser runs on little-endian
 * machines, so samples are read in place.
 */

export const SUBPROTOCOL = 'tenuto.v1';
export const TICKET_PREFIX = 'tenuto.t.';
export const MICROPHONE = 1;
export const REPLY = 2;

const HEAD = 8;

/** Return the frame of these samples of the microphone. */
export function pack(offset, samples) {
  const frame = new ArrayBuffer(HEAD + samples.length * 2);
  const head = new DataView(frame);
  head.setUint8(0, MICROPHONE);
  head.setUint32(4, offset >>> 0, true);
  new Int16Array(frame, HEAD).set(samples);
  return frame;
}

/** Return `{kind, reply, offset, samples}` of a frame, or null when it is none. */
export function unpack(frame) {
  if (frame.byteLength < HEAD || frame.byteLength % 2) return null;
  const head = new DataView(frame);
  const kind = head.getUint8(0);
  if (head.getUint8(1) !== 0 || (kind !== MICROPHONE && kind !== REPLY)) return null;
  return {
    kind,
    reply: head.getUint16(2, true),
    offset: head.getUint32(4, true),
    samples: new Int16Array(frame, HEAD),
  };
}

/** Return the number next to `reference` that is `low` modulo `modulus`. */
export function nearest(low, reference, modulus = 65536) {
  const round = Math.round((reference - low) / modulus);
  return Math.max(0, round) * modulus + low;
}
