import { cue } from './cue.js';
import type { Scenario } from './scenario.js';

/** By name, as the command knows them. */
export const SCENARIOS: Readonly<Record<string, Scenario>> = { cue };
