import type { Campaign } from '../domain/campaign.js';
import type { PortraitDocument, PortraitFieldName } from '../profile/portrait-schema.js';
import { compileExpression } from '../segments/expression.js';

/** Who takes part in a campaign. */
export interface Audience {
  /** What it reads of the portrait. */
  readonly fields: ReadonlySet<PortraitFieldName>;
  matches(document: PortraitDocument): boolean;
}

/** Of a definition that an older version of the engine let pass. */
const NOBODY: Audience = { fields: new Set(), matches: () => false };
const compiled = new WeakMap<Campaign, Audience>();

/** @returns the campaign's audience, compiled once; undefined for everybody */
export function audienceOf(campaign: Campaign): Audience | undefined {
  if (campaign.audience === undefined) return undefined;
  const known = compiled.get(campaign);
  if (known !== undefined) return known;
  const audience = compile(campaign.audience);
  compiled.set(campaign, audience);
  return audience;
}

function compile(source: string): Audience {
  try {
    return compileExpression(source);
  } catch {
    return NOBODY;
  }
}
