import type { Segment } from '../domain/segment.js';
import type { PortraitDocument } from '../profile/portrait-schema.js';
import { BUILT_IN_SEGMENTS } from './built-in.js';
import { compileExpression, type Expression } from './expression.js';

/** Compiles a segment's expression. It cannot read who is in which segment: that is what it decides. @throws ExpressionError */
export const compileSegment = (source: string): Expression => compileExpression(source, { without: ['segments'] });

/** All segments of the store, compiled once; immutable. */
export class SegmentSet {
  readonly segments: readonly Segment[];
  readonly #byId: ReadonlyMap<string, Segment>;
  readonly #compiled: readonly (readonly [id: string, expression: Expression])[];

  /**
   * @param stored the operators' segments
   * @param onFault told of one that a newer or older version has saved and this one cannot read: nobody is in it
   */
  constructor(stored: readonly Segment[], onFault: (segment: Segment, error: unknown) => void) {
    this.#byId = new Map([...BUILT_IN_SEGMENTS, ...stored].map((segment) => [segment.id, segment]));
    this.segments = [...this.#byId.values()];
    this.#compiled = this.segments.flatMap((segment) => {
      try {
        return [[segment.id, compileSegment(segment.expression)] as const];
      } catch (error) {
        onFault(segment, error);
        return [];
      }
    });
  }

  get(id: string): Segment | undefined {
    return this.#byId.get(id);
  }

  /** @returns ids of the segments that the shopper belongs in */
  of(document: PortraitDocument): string[] {
    return this.#compiled.filter(([, expression]) => expression.matches(document)).map(([id]) => id);
  }
}
