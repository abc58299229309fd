import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';

/** How bytes go through: as they come, late, or not at all. */
export type Weather =
  | { readonly kind: 'clear' }
  /** Each piece of a reply this much later, in order, ms. */
  | { readonly kind: 'late_replies'; readonly ms: number }
  /** What the store says is lost; what it is told arrives. */
  | { readonly kind: 'lost_replies' }
  /** Nothing goes either way; what was on the way arrives when it clears up. */
  | { readonly kind: 'parted' };

interface Pair {
  readonly client: Socket;
  readonly store: Socket;
  /** Pieces of replies that come late, in order. */
  readonly late: Buffer[];
  isTainted: boolean;
}

/** A TCP proxy between the engine and Redis, or a client and the engine, that makes trouble on demand, and can lead to another Redis. */
export class FaultProxy {
  readonly #server: Server;
  readonly #pairs = new Set<Pair>();
  #weather: Weather = { kind: 'clear' };
  #port: number;

  private constructor(port: number) {
    this.#port = port;
    this.#server = createServer((client) => { this.#join(client); });
  }

  /** @param port of the Redis on loopback that it leads to */
  static async start(port: number): Promise<FaultProxy> {
    const proxy = new FaultProxy(port);
    proxy.#server.listen(0, '127.0.0.1');
    await once(proxy.#server, 'listening');
    return proxy;
  }

  get port(): number {
    const address = this.#server.address();
    if (address === null || typeof address === 'string') throw new Error('The proxy does not listen.');
    return address.port;
  }

  get url(): string {
    return `redis://127.0.0.1:${this.port}`;
  }

  /** When it clears up, connections that lost a part of a reply are cut: nobody could make sense of the rest. */
  set weather(weather: Weather) {
    this.#weather = weather;
    for (const pair of this.#pairs) {
      if (weather.kind === 'clear' && pair.isTainted) end(pair);
      for (const socket of [pair.client, pair.store]) {
        if (weather.kind === 'parted') socket.pause();
        else socket.resume();
      }
    }
  }

  /** Cuts all connections, in the middle of whatever they say. @returns how many there were */
  cut(): number {
    for (const pair of this.#pairs) end(pair);
    return this.#pairs.size;
  }

  /** Leads to another Redis from now on. */
  leadTo(port: number): void {
    this.#port = port;
    this.cut();
  }

  async stop(): Promise<void> {
    const closed = once(this.#server, 'close');
    this.#server.close();
    this.cut();
    await closed;
  }

  #join(client: Socket): void {
    const store = connect({ host: '127.0.0.1', port: this.#port });
    const pair: Pair = { client, store, late: [], isTainted: false };
    this.#pairs.add(pair);
    for (const socket of [client, store]) {
      socket.setNoDelay(true);
      socket.on('error', () => { /* Its close follows. */ });
      socket.on('close', () => {
        end(pair);
        this.#pairs.delete(pair);
      });
    }
    client.on('data', (piece) => { store.write(piece); });
    store.on('data', (piece) => { this.#reply(pair, piece); });
    if (this.#weather.kind === 'parted') {
      client.pause();
      store.pause();
    }
  }

  #reply(pair: Pair, piece: Buffer): void {
    const { late, client } = pair;
    if (this.#weather.kind === 'lost_replies') pair.isTainted = true;
    else if (this.#weather.kind === 'late_replies' || late.length > 0) {
      late.push(piece);
      // Whichever timer is first: the piece that came first goes first.
      setTimeout(() => { client.write(late.shift()!); }, this.#weather.kind === 'late_replies' ? this.#weather.ms : 0);
    } else client.write(piece);
  }
}

function end({ client, store }: Pair): void {
  client.destroy();
  store.destroy();
}
