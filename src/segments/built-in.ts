import type { Segment } from '../domain/segment.js';
import { LIFECYCLE_STAGES } from '../profile/portrait-schema.js';

const builtIn = (id: string, title: string, expression: string): Segment => ({ id, title, kind: 'segment', expression, version: 0, updatedAt: 0 });

/** Segments that every store asks for. An operator's segment of the same id takes a segment's place here. */
export const BUILT_IN_SEGMENTS: readonly Segment[] = [
  ...LIFECYCLE_STAGES.map((stage) => builtIn(stage, `Lifecycle: ${stage}`, `lifecycle == "${stage}"`)),
  ...(['high', 'mid', 'low'] as const).map((tier) => builtIn(`${tier}_value`, `Value: ${tier}`, `valueTier == "${tier}"`)),
  builtIn('value_seekers', 'Buys cheap, or when there is something off', 'priceLevel < 2.0 || promotionSensitivity > 0.5'),
  builtIn('sharers', 'Shares what it likes', 'socialRole == "sharer"'),
];
