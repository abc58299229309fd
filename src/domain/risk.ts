import { Type, type Static } from '../util/type.js';

/** What may speak for abuse. */
export const RISK_REASONS = ['self_invite', 'refund_farming', 'event_rate', 'clockwork', 'no_dwell'] as const;
export interface RiskReason {
  readonly reason: (typeof RISK_REASONS)[number];
  /** 0 … 1: the score that this alone would make. */
  readonly weight: number;
  /** What was found, for people. */
  readonly evidence: string;
}

/** By what a friend who came by a share looks like the sharer. */
export type InviteLikeness = 'device' | 'address' | 'alias';
export interface SuspectInvite {
  readonly claimId: string;
  readonly by: InviteLikeness;
  /** ms */
  readonly at: number;
}

/** An operator's word. `auto`: what was computed counts (again). */
export const RISK_FLAGS = ['flagged', 'cleared', 'auto'] as const;
export const RiskFlagSchema = Type.Object({
  flag: Type.Enum([...RISK_FLAGS]),
  reason: Type.String({ minLength: 1, maxLength: 500 }),
}, { additionalProperties: false });
export type RiskFlagInput = Static<typeof RiskFlagSchema>;
export interface RiskOverride { readonly flag: 'flagged' | 'cleared'; readonly reason: string; readonly by: string; readonly at: number }

/** What is kept of a shopper. */
export interface RiskState {
  /** Time of the shopper's first event, or when they were first looked at, ms: tells an erased life from a later one. */
  readonly since: number;
  readonly invites: readonly SuspectInvite[];
  /** As computed, 0 … 1. */
  readonly score: number;
  readonly reasons: readonly RiskReason[];
  readonly override?: RiskOverride | undefined;
  /** Kept out of rewards, popularity and training. */
  readonly isFlagged: boolean;
  /** When score or flag last changed, ms. */
  readonly at: number;
}

/** An entry of the audit. */
export interface RiskChange { readonly at: number; readonly by: string; readonly flag: RiskFlagInput['flag']; readonly reason: string; readonly wasFlagged: boolean; readonly isFlagged: boolean }
