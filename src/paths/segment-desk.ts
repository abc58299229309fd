import { SEGMENT_LIMITS, type Segment, type SegmentInput } from '../domain/segment.js';
import { AppError } from '../errors.js';
import type { SegmentStore } from '../redis/segment-store.js';
import { BUILT_IN_SEGMENTS } from '../segments/built-in.js';
import { compileSegment } from '../segments/segment-set.js';
import type { Clock } from '../util/clock.js';

/** A segment with how many are in it. */
export type SizedSegment = Segment & { readonly size: number };

/** What operators do with segments. */
export class SegmentDesk {
  constructor(private readonly store: SegmentStore, private readonly clock: Clock) {}

  async list(): Promise<SizedSegment[]> {
    const [stored, sizes] = await Promise.all([this.#all(), this.store.sizes()]);
    return [...stored.values()].toSorted((a, b) => (a.id < b.id ? -1 : 1)).map((segment) => ({ ...segment, size: sizes.get(segment.id) ?? 0 }));
  }

  /** @throws AppError `not_found` */
  async get(id: string): Promise<SizedSegment> {
    const [all, sizes] = await Promise.all([this.#all(), this.store.sizes()]);
    return { ...this.#known(all, id), size: sizes.get(id) ?? 0 };
  }

  /**
   * Makes a segment or changes it; within seconds its members are known, and from then on with every event.
   * @throws ExpressionError where the expression is at fault; AppError `conflict` when there are too many segments
   */
  async put(id: string, { title, kind = 'segment', expression }: SegmentInput): Promise<Segment> {
    compileSegment(expression);
    const all = await this.#all();
    const before = all.get(id);
    if (before === undefined && all.size >= SEGMENT_LIMITS.segmentsMax) {
      throw new AppError('conflict', `There are ${all.size} segments already, as many as can be kept up on every event; remove one first.`);
    }
    const segment: Segment = { id, title, kind, expression, version: (before?.version ?? 0) + 1, updatedAt: this.clock() };
    await this.store.put(segment);
    return segment;
  }

  /** Of one that took the place of a segment of the engine, that one is left. @throws AppError `not_found`, `conflict` */
  async remove(id: string): Promise<void> {
    if (await this.store.remove(id)) return;
    this.#known(await this.#all(), id);
    throw new AppError('conflict', `Segment ${id} comes with the engine and cannot be removed; put another expression in its place.`);
  }

  /** @throws AppError `not_found` */
  async members(id: string, cursor: string, limit: number): Promise<{ members: string[]; cursor: string }> {
    this.#known(await this.#all(), id);
    return this.store.members(id, cursor, limit);
  }

  async #all(): Promise<Map<string, Segment>> {
    return new Map([...BUILT_IN_SEGMENTS, ...await this.store.definitions()].map((segment) => [segment.id, segment]));
  }

  #known(all: ReadonlyMap<string, Segment>, id: string): Segment {
    const segment = all.get(id);
    if (segment === undefined) throw new AppError('not_found', `There is no segment ${id}; PUT /v1/segments/${id} makes it.`);
    return segment;
  }
}
