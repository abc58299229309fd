import type { Position } from '../domain/channel.js';
import { hash48 } from '../util/hash.js';

/** Longer than any that we make. */
const CHARS_MAX = 1024;
const PLACE = /^([0-9a-z]{1,10})\.([0-9]{1,20})\.([0-9]{1,15})$/u;

/** Channels are named by a hash: ids of shoppers may be long, and anything. */
const markOf = (channel: string): string => hash48(channel).toString(36);

/**
 * Where a client of a stream stands in all of its channels, as the id of an event: a browser sends the last one back when it comes again.
 * `<channel>.<epoch>.<offset>`, joined by `~`.
 */
export class Places {
  readonly #places = new Map<string, string>();

  set(channel: string, { epoch, offset }: Position): void {
    this.#places.set(channel, `${markOf(channel)}.${epoch}.${offset}`);
  }

  toString(): string {
    return [...this.#places.values()].join('~');
  }
}

/** In no log any more: who comes from there is told that something may be missing. */
const LONG_GONE: Position = { epoch: '1', offset: 0 };

/**
 * Reads an id back.
 * @returns where the client stood in a channel; undefined for one that the id does not know. Of an id that cannot be read the client has been
 * somewhere, too.
 */
export function placesIn(id: string | undefined): (channel: string) => Position | undefined {
  const known = new Map<string, Position>();
  for (const text of id === undefined || id.length > CHARS_MAX ? [] : id.split('~')) {
    const [, mark, epoch, offset] = PLACE.exec(text) ?? [];
    if (mark !== undefined && epoch !== undefined) known.set(mark, { epoch, offset: Number(offset) });
  }
  const otherwise = id === undefined || id === '' || known.size > 0 ? undefined : LONG_GONE;
  return (channel) => known.get(markOf(channel)) ?? otherwise;
}
