import type { Catalog } from '../catalog/catalog.js';
import { AppError } from '../errors.js';
import type { RoomComment, RoomStats } from '../domain/interaction.js';
import type { Room } from '../domain/room.js';
import { FADING_MS } from '../pulse/decay.js';
import { suggestCues, surgesOf, type CueSuggestion } from '../pulse/surge.js';
import type { RoomPulseState, RoomPulseStore } from '../redis/room-pulse-store.js';
import type { Clock } from '../util/clock.js';
import type { OpenCues } from './open-cues.js';

export const INSIGHTS_LIMITS = {
  /** Of each kind of topic; products by carts. */
  topicsMax: 10,
  cartsMax: 10,
  /** Questions shown, the latest. */
  questionsMax: 10,
  /** A topic that has faded below this is over. */
  levelMin: 0.5,
} as const;
const PRICE_THEMES: readonly (string | undefined)[] = ['price', 'discount'];

interface Level { readonly level: number }

/** What a host sees of the room now. Levels are counts of the last minutes that fade. */
export interface RoomInsights {
  readonly room: { readonly id: string; readonly status: Room['status']; readonly pinnedItemId?: string };
  readonly stats: RoomStats;
  /** Shares of the comments; score: positive less negative, −1 … 1, 0 without comments. */
  readonly sentiment: { readonly positive: number; readonly neutral: number; readonly negative: number; readonly score: number; readonly level: number };
  readonly asked: {
    readonly themes: readonly (Level & { readonly theme: string })[];
    readonly items: readonly (Level & { readonly itemId: string; readonly title?: string })[];
    readonly words: readonly (Level & { readonly word: string })[];
    readonly latest: readonly RoomComment[];
  };
  /** Carts of about the last minute, and a minute as usual. */
  readonly carts: readonly { readonly itemId: string; readonly title?: string; readonly lastMinute: number; readonly usual: number }[];
  /** What to do next, the most urgent first. */
  readonly suggestions: readonly CueSuggestion[];
}

export interface InsightsOptions {
  readonly rooms: { read(id: string): Promise<Room | undefined> };
  readonly store: Pick<RoomPulseStore, 'read'>;
  readonly cues: OpenCues;
  readonly catalog: Catalog;
  readonly clock: Clock;
}

/** What a room is about now, for its host: from the counts of all processes. */
export class RoomInsightsReader {
  constructor(private readonly options: InsightsOptions) {}

  /** @throws AppError `not_found` */
  async read(roomId: string): Promise<RoomInsights> {
    const { rooms, store, cues, clock } = this.options;
    const now = clock();
    const [room, state, open] = await Promise.all([rooms.read(roomId), store.read(roomId, now), cues.of(roomId)]);
    if (room === undefined) throw new AppError('not_found', `There is no room ${roomId}.`);
    const { id, status, pinnedItemId } = room;
    const asked = this.#asked(state);
    const suggestions = status !== 'live' ? [] : suggestCues(surgesOf(state.carts), {
      pinnedItemId, onSale: new Set(open.flatMap((cue) => (cue.kind === 'flash_sale' ? [cue.itemId] : []))),
      isPriceAsked: PRICE_THEMES.includes(asked.themes[0]?.theme),
      stockOf: (itemId) => this.#item(itemId)?.stock,
    });
    return {
      room: { id, status, ...(pinnedItemId === undefined ? {} : { pinnedItemId }) }, stats: state.stats, sentiment: sentimentOf(state.moods),
      asked, carts: this.#carts(state), suggestions,
    };
  }

  #asked({ topics, said }: RoomPulseState): RoomInsights['asked'] {
    const ranked = Object.entries(topics).filter(([, level]) => level >= INSIGHTS_LIMITS.levelMin).sort(([, a], [, b]) => b - a);
    const of = (kind: string): { name: string; level: number }[] => ranked.filter(([topic]) => topic.startsWith(`${kind}:`)).slice(0, INSIGHTS_LIMITS.topicsMax)
      .map(([topic, level]) => ({ name: topic.slice(kind.length + 1), level: round(level) }));
    return {
      themes: of('theme').map(({ name, level }) => ({ theme: name, level })),
      items: of('item').map(({ name, level }) => ({ itemId: name, ...this.#titled(name), level })),
      words: of('word').map(({ name, level }) => ({ word: name, level })),
      latest: said.filter(({ kind }) => kind === 'question').slice(-INSIGHTS_LIMITS.questionsMax).toReversed(),
    };
  }

  #carts({ carts }: RoomPulseState): RoomInsights['carts'] {
    return carts.filter(({ now }) => now >= INSIGHTS_LIMITS.levelMin).sort((a, b) => b.now - a.now).slice(0, INSIGHTS_LIMITS.cartsMax)
      .map(({ itemId, now, usual }) => ({ itemId, ...this.#titled(itemId), lastMinute: round(now), usual: round(usual * FADING_MS.carts / FADING_MS.usualCarts) }));
  }

  #titled(itemId: string): { title?: string } {
    const title = this.#item(itemId)?.title;
    return title === undefined ? {} : { title };
  }

  #item(itemId: string) {
    const { catalog } = this.options;
    return catalog.item(catalog.rowOf(itemId));
  }
}

function sentimentOf({ positive = 0, neutral = 0, negative = 0 }: Readonly<Record<string, number>>): RoomInsights['sentiment'] {
  const level = positive + neutral + negative;
  const share = (part: number): number => (level === 0 ? 0 : round(part / level));
  return { positive: share(positive), neutral: share(neutral), negative: share(negative), score: share(positive - negative), level: round(level) };
}

const round = (value: number): number => Math.round(value * 100) / 100;
