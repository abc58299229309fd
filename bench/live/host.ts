import { randomUUID } from 'node:crypto';
import type { CueInput } from '../../src/domain/cue.js';
import { pause } from '../../src/util/pause.js';
import { Rounds } from '../../src/util/rounds.js';

const HOST_LIMITS = {
  /** Between two tries of a request that was not answered, ms; and how many there are. */
  againMs: 50, triesMax: 600,
} as const;

export interface HostOptions {
  /** e.g. `http://127.0.0.1:8080` */
  readonly url: string;
  readonly room: string;
  /** What is pinned in turn. */
  readonly products: readonly string[];
}

/** A host who never loses the thread: a cue that was not answered is sent again with the same key, until it is. */
export class Host {
  readonly #options: HostOptions;
  readonly #cueIds: string[] = [];
  /** What went wrong with a pin. */
  readonly faults: unknown[] = [];
  /** Times that a cue had to be sent again. */
  again = 0;
  #pinning: Rounds | undefined;

  constructor(options: HostOptions) {
    this.#options = options;
  }

  /** Ids of the cues that the engine has acknowledged, in the order of the room. */
  get cueIds(): readonly string[] {
    return this.#cueIds.toSorted((a, b) => numberOf(a) - numberOf(b));
  }

  /** Pins one product after another, each so many ms after the last was acknowledged. */
  startPinning(everyMs: number): void {
    const { products } = this.#options;
    let pins = 0;
    this.#pinning = new Rounds({
      everyMs, onError: (error) => { this.faults.push(error); },
      round: () => this.play({ kind: 'pin', itemId: products[pins++ % products.length]! }),
    });
    this.#pinning.start();
  }

  async stopPinning(): Promise<void> {
    await this.#pinning?.stop();
  }

  /** Resolves when the cue is acknowledged. @throws when it is refused */
  async play(cue: CueInput): Promise<void> {
    const { url, room } = this.#options;
    const headers = { 'content-type': 'application/json', 'idempotency-key': randomUUID() };
    for (let tries = 1; ; tries++) {
      const reply = await fetch(`${url}/v1/rooms/${room}/cues`, { method: 'POST', headers, body: JSON.stringify(cue) }).catch(() => undefined);
      const text = await reply?.text().catch(() => undefined);
      if (reply?.ok === true && text !== undefined) {
        this.#cueIds.push((JSON.parse(text) as { cue: { id: string } }).cue.id);
        return;
      }
      // A process that died in between, or is short of time: the same key makes the same cue.
      const isFinal = reply !== undefined && text !== undefined && reply.status < 500;
      if (isFinal || tries === HOST_LIMITS.triesMax) throw new Error(`cue ${cue.kind}: ${reply?.status ?? 'no answer'} ${text ?? ''}`);
      this.again += 1;
      await pause(HOST_LIMITS.againMs);
    }
  }
}

/** @returns of `<room>.<number>` */
const numberOf = (cueId: string): number => Number(cueId.slice(cueId.lastIndexOf('.') + 1));
