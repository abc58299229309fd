/** What opens a frame of a channel: `{"type":T,"channel":C,"epoch":E,"offset":N`; the epoch is empty in one that no log has. */
export interface FrameHead {
  readonly type: string;
  readonly channel: string | undefined;
  readonly epoch: string;
  readonly offset: number;
}

/** Longest head that is looked at, bytes. */
const HEAD_BYTES = 256;
const HEAD = /^\{"type":"([a-z_]+)"(?:,"channel":"([^"]+)"(?:,"epoch":"([^"]+)","offset":(\d+))?)?/u;

/** Reads the head without parsing the frame: thousands of frames a moment are read by it. */
export function readHead(frame: Buffer): FrameHead {
  const found = HEAD.exec(frame.toString('latin1', 0, Math.min(HEAD_BYTES, frame.length)));
  if (found === null) throw new Error(`A frame begins with its type, not so: ${frame.toString('utf8', 0, HEAD_BYTES)}`);
  return { type: found[1]!, channel: found[2], epoch: found[3] ?? '', offset: Number(found[4] ?? 0) };
}
