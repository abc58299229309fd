export interface WireOptions {
  /** Default: text. */
  readonly opcode?: number;
  readonly isFinal?: boolean;
  readonly isMasked?: boolean;
  /** Bits of extensions. */
  readonly reserved?: number;
  /** What the header says, where that is not the payload's length. */
  readonly length?: number;
}

/** A frame of a WebSocket client as bytes; the mask is zero. Each field can be wrong. */
export function frameBytes(content: string | Buffer, { opcode = 1, isFinal = true, isMasked = true, reserved = 0, length }: WireOptions = {}): Buffer {
  const payload = Buffer.from(content);
  const said = length ?? payload.length;
  const size = said < 126 ? 0 : said < 0x1_0000 ? 2 : 8;
  const head = Buffer.alloc(2 + size + (isMasked ? 4 : 0));
  head[0] = (isFinal ? 0x80 : 0) | reserved | opcode;
  head[1] = (isMasked ? 0x80 : 0) | (size === 0 ? said : size === 2 ? 126 : 127);
  if (size === 2) head.writeUInt16BE(said, 2);
  if (size === 8) head.writeBigUInt64BE(BigInt(said), 2);
  return Buffer.concat([head, payload]);
}
