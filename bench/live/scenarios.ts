import { cluster } from './cluster.js';
import { cue } from './cue.js';
import { cuts } from './cuts.js';
import { fuzz } from './fuzz.js';
import { idle } from './idle.js';
import { kill } from './kill.js';
import { rolling } from './rolling.js';
import type { Scenario } from './scenario.js';
import { slow } from './slow.js';
import { soak } from './soak.js';

/** By name, as the command knows them. */
export const SCENARIOS: Readonly<Record<string, Scenario>> = { cue, idle, soak, cuts, slow, kill, rolling, fuzz, cluster };
