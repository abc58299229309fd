const FINAL_TEXT = 0x81;
/** The protocol's ping, without a word. */
export const PING_FRAME = Buffer.from([0x89, 0]);
/** Lengths from which on a frame says them in 2 and in 8 bytes, and what stands in their place (RFC 6455, 5.2). */
const LENGTH = { medium: { from: 126, mark: 126 }, long: { from: 0x1_0000, mark: 127 } } as const;

/** The last one made: a frame that goes to thousands of sockets is made for the first of them. */
let [lastPayload, lastFrame]: Buffer[] = [];

/** @returns a text as one WebSocket frame of a server: whole, uncompressed, not masked */
export function wireFrame(payload: Buffer): Buffer {
  if (payload === lastPayload && lastFrame !== undefined) return lastFrame;
  const { length } = payload;
  const headBytes = length < LENGTH.medium.from ? 2 : length < LENGTH.long.from ? 4 : 10;
  const frame = Buffer.allocUnsafe(headBytes + length);
  frame[0] = FINAL_TEXT;
  if (headBytes === 2) frame[1] = length;
  else if (headBytes === 4) {
    frame[1] = LENGTH.medium.mark;
    frame.writeUInt16BE(length, 2);
  } else {
    frame[1] = LENGTH.long.mark;
    frame.writeBigUInt64BE(BigInt(length), 2);
  }
  payload.copy(frame, headBytes);
  lastPayload = payload;
  lastFrame = frame;
  return frame;
}
