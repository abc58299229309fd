import { connect, type Socket } from 'node:net';

/** Where sockets are opened. */
export interface Address {
  readonly host: string;
  readonly port: number;
}

export interface RawSocketOptions {
  readonly address: Address;
  /** Source address, e.g. `127.0.0.2`, for more sockets than one address has ports, or may have. */
  readonly localAddress?: string | undefined;
  readonly onOpen: () => void;
  /** One text frame. The bytes are the reader's own and change with the next read: whoever keeps them copies them. */
  readonly onFrame: (frame: Buffer) => void;
  /** Called once, when the connection is gone. The code is that of the close frame; 1006 without one. */
  readonly onClosed: (code: number, reason: string) => void;
}

const OPCODE = { text: 1, close: 8, ping: 9, pong: 10 } as const;
const ABNORMAL = 1006;
const END_OF_HEAD = Buffer.from('\r\n\r\n');
const PATH = '/v1/live';
/** Reads of all sockets go through this one buffer: thousands of sockets then cost no memory of their own. */
const READ_BYTES = 256 * 1024;
const READ_BUFFER = Buffer.allocUnsafe(READ_BYTES);

/**
 * The receiving half of WebSocket and as much of the sending half as a load needs, on a bare TCP socket: it shares the
 * cores with the engine it measures, so that what it takes itself must be little. Frames are not fragmented and not
 * compressed, which holds for this engine; the mask is zero, which the protocol allows and only browsers must not do.
 */
export class RawSocket {
  readonly #socket: Socket;
  readonly #options: RawSocketOptions;
  #isUpgraded = false;
  /** What a read left over: the beginning of a frame. */
  #rest: Buffer | undefined;
  #code = ABNORMAL;
  #reason = '';

  constructor(options: RawSocketOptions) {
    this.#options = options;
    const { address: { host, port }, localAddress } = options;
    this.#socket = connect({
      host, port, noDelay: true, ...(localAddress === undefined ? {} : { localAddress }),
      onread: { buffer: READ_BUFFER, callback: (bytes) => { this.#read(READ_BUFFER.subarray(0, bytes)); return true; } },
    });
    this.#socket.once('connect', () => {
      this.#socket.write(`GET ${PATH} HTTP/1.1\r\nHost: ${host}:${port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: cml2dWxldC1sb2FkLWNsaQ==\r\n\r\n`);
    });
    this.#socket.on('error', (error) => { this.#reason ||= error.message; });
    this.#socket.once('close', () => { options.onClosed(this.#code, this.#reason); });
  }

  /** Of this end; undefined until it is connected. */
  get localPort(): number | undefined {
    return this.#socket.localPort;
  }

  send(text: string): void {
    this.#write(OPCODE.text, Buffer.from(text));
  }

  /** Bytes that no WebSocket peer may send: the engine has to end the socket. */
  sendNonsense(): void {
    this.sendBytes(Buffer.from([0xff, 0xff, 0xff, 0xff]));
  }

  /** Bytes as they are, which need not be a frame. */
  sendBytes(bytes: Buffer): void {
    if (this.#socket.writable) this.#socket.write(bytes);
  }

  /** Stops reading; the system still takes what fits into its buffers. */
  stall(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  /** Ends the connection without a close frame. */
  destroy(): void {
    this.#socket.destroy();
  }

  /** The same, and the peer is told by a reset in the middle of whatever it says. */
  reset(): void {
    this.#socket.resetAndDestroy();
  }

  #read(bytes: Buffer): void {
    let data = this.#rest === undefined ? bytes : Buffer.concat([this.#rest, bytes]);
    if (!this.#isUpgraded) {
      const end = data.indexOf(END_OF_HEAD);
      if (end >= 0) this.#upgrade(data.toString('latin1', 0, end));
      data = end < 0 ? data : data.subarray(end + END_OF_HEAD.length);
    }
    const used = this.#isUpgraded ? this.#takeFrames(data) : 0;
    this.#rest = used < data.length ? Buffer.from(data.subarray(used)) : undefined;
  }

  #upgrade(head: string): void {
    if (!head.startsWith('HTTP/1.1 101 ')) {
      this.#reason = head.slice(0, head.indexOf('\r\n'));
      this.#socket.destroy();
      return;
    }
    this.#isUpgraded = true;
    this.#options.onOpen();
  }

  /** @returns how many bytes were whole frames */
  #takeFrames(data: Buffer): number {
    let at = 0;
    while (at + 2 <= data.length && !this.#socket.destroyed) {
      const short = data[at + 1]! & 0x7f;
      const head = short === 127 ? 10 : short === 126 ? 4 : 2;
      if (at + head > data.length) break;
      const length = short === 127 ? data.readUIntBE(at + 4, 6) : short === 126 ? data.readUInt16BE(at + 2) : short;
      const end = at + head + length;
      if (end > data.length) break;
      this.#take(data[at]! & 0x0f, data.subarray(at + head, end));
      at = end;
    }
    return at;
  }

  #take(opcode: number, payload: Buffer): void {
    if (opcode === OPCODE.text) this.#options.onFrame(payload);
    else if (opcode === OPCODE.ping) this.#write(OPCODE.pong, payload);
    else if (opcode === OPCODE.close) {
      if (payload.length >= 2) this.#code = payload.readUInt16BE(0);
      this.#reason = payload.toString('utf8', 2);
      this.#write(OPCODE.close, payload.subarray(0, 2));
      this.#socket.end();
    }
  }

  /** One final frame with a mask of zero. */
  #write(opcode: number, payload: Buffer): void {
    if (!this.#socket.writable) return;
    const long = payload.length > 125;
    const frame = Buffer.alloc((long ? 8 : 6) + payload.length);
    frame[0] = 0x80 | opcode;
    frame[1] = 0x80 | (long ? 126 : payload.length);
    if (long) frame.writeUInt16BE(payload.length, 2);
    payload.copy(frame, long ? 8 : 6);
    this.#socket.write(frame);
  }
}
