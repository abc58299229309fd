import { randomUUID } from 'node:crypto';
import { cp, mkdir, readdir, readFile, rename, rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { Check } from 'typebox/schema';
import { AppError } from '../errors.js';
import { replaceFile, whileLocked } from '../util/atomic-file.js';
import type { Clock } from '../util/clock.js';
import { Type, type Static } from '../util/type.js';
import { readManifest, type Manifest } from './manifest.js';

export const MODEL_REGISTRY_LIMITS = {
  /** Entries of the journal that are kept, and steps that `rollback` can go back. */
  journal: 500, steps: 20,
  reasonChars: 1000,
} as const;

export const MODEL_ACTIONS = ['add', 'promote', 'rollback', 'shadow', 'unshadow', 'refuse'] as const;
export type ModelAction = (typeof MODEL_ACTIONS)[number];

const Label = Type.String({ pattern: '^[A-Za-z0-9._-]{1,64}@[A-Za-z0-9._+-]{1,64}$' });
const Time = Type.String({ description: 'ISO 8601' });

/** `models.json`: which model serves, which shadows, and what was done when, by whom, and why. One file, so that they never disagree. */
const StateSchema = Type.Object({
  /** Null: the model of MODEL_DIR. */
  serving: Type.Union([Label, Type.Null()]),
  /** What served before, oldest first: `rollback` takes the last. */
  previous: Type.Array(Type.Union([Label, Type.Null()])),
  shadow: Type.Union([Type.Object({ model: Label, since: Time }), Type.Null()]),
  journal: Type.Array(Type.Object({
    at: Time, by: Type.String(), action: Type.Enum([...MODEL_ACTIONS]), model: Type.String(), why: Type.String(),
  })),
});
export type RegistryState = Static<typeof StateSchema>;

/** Who does it and why, for the journal. */
export interface Deed { readonly by: string; readonly why: string }

export interface ListedModel {
  readonly label: string;
  readonly folder: string;
  /** Undefined when it cannot be read. */
  readonly manifest: Manifest | undefined;
  readonly state: 'serving' | 'shadow' | 'refused' | 'candidate';
  /** The latest reason in the journal. */
  readonly why: string;
}

const NOTHING: RegistryState = { serving: null, previous: [], shadow: null, journal: [] };

export const labelOf = ({ name, version }: Pick<Manifest, 'name' | 'version'>): string => `${name}@${version}`;

/** Whether two models score alike, whatever they are called. */
export const isSameModel = (a: Manifest, b: Manifest): boolean =>
  a.sha256 === b.sha256 && a.schemaHash === b.schemaHash && JSON.stringify(a.encoder?.sha256) === JSON.stringify(b.encoder?.sha256);

/**
 * Versions of the model side by side, `<dir>/<name>@<version>/`, and the file that says which of them serves. Until one is
 * promoted, the model of MODEL_DIR does. Every change is one rename, under a lock: no crash leaves anything half done.
 */
export class ModelRegistry {
  constructor(readonly dir: string, private readonly fallback: string, private readonly clock: Clock) {}

  async state(): Promise<RegistryState> {
    const path = join(this.dir, 'models.json');
    let text: string;
    try {
      text = await readFile(path, 'utf8');
    } catch (error) {
      if (isMissing(error)) return NOTHING;
      throw error;
    }
    const value: unknown = JSON.parse(text);
    if (!Check(StateSchema, value)) throw new AppError('internal', `${path} is not what this engine writes; move it away to begin anew.`);
    return value;
  }

  /** The folder to serve from. */
  async servingFolder(): Promise<string> {
    const { serving } = await this.state();
    return serving === null ? this.fallback : this.folderOf(serving);
  }

  async shadowFolder(): Promise<string | undefined> {
    const { shadow } = await this.state();
    return shadow === null ? undefined : this.folderOf(shadow.model);
  }

  /** @throws AppError `not_found` when it is neither here nor in MODEL_DIR */
  async find(label: string): Promise<string> {
    if (await this.#fallbackLabel() === label) return this.fallback;
    if (!Check(Label, label) || !(await this.#labels()).includes(label)) {
      throw new AppError('not_found', `There is no model ${label} in ${this.dir}; \`npm run models -- list\` shows those there are.`);
    }
    return this.folderOf(label);
  }

  async list(): Promise<ListedModel[]> {
    const state = await this.state();
    const own = await this.#fallbackLabel();
    const labels = (await this.#labels()).filter((label) => label !== own);
    const listed = labels.map((label): { label: string; folder: string; isServing: boolean } =>
      ({ label, folder: this.folderOf(label), isServing: state.serving === label }));
    if (own !== undefined) listed.unshift({ label: own, folder: this.fallback, isServing: state.serving === null });
    return Promise.all(listed.map(async ({ label, folder, isServing }) => {
      const last = state.journal.findLast((entry) => entry.model === label);
      const isShadow = state.shadow?.model === label;
      return {
        label, folder, manifest: await readManifest(folder).catch(() => undefined), why: last?.why ?? '',
        state: isServing ? 'serving' : isShadow ? 'shadow' : last?.action === 'refuse' ? 'refused' : 'candidate',
      };
    }));
  }

  /**
   * Takes a copy of a model folder. The same version again changes nothing.
   * @returns its label
   * @throws AppError `conflict` when another model of this name and version is there
   */
  async add(folder: string, deed: Deed): Promise<string> {
    const manifest = await readManifest(folder);
    const label = labelOf(manifest);
    const to = this.folderOf(label);
    if (resolve(folder) === resolve(to)) return label;
    await mkdir(this.dir, { recursive: true });
    const beside = join(this.dir, `.${randomUUID()}`);
    await cp(folder, beside, { recursive: true });
    await this.#change(async (state) => {
      const known = await readManifest(to).catch(() => undefined);
      if (known !== undefined) {
        await rm(beside, { recursive: true, force: true });
        if (isSameModel(known, manifest)) return undefined;
        throw new AppError('conflict', `Another model ${label} is in ${this.dir}; give this one a version of its own.`);
      }
      await rename(beside, to);
      return this.#noted(state, 'add', label, deed);
    });
    return label;
  }

  /** Puts a model into service; whoever calls has checked it. */
  async promote(label: string, deed: Deed): Promise<void> {
    const serving = await this.find(label) === this.fallback ? null : label;
    await this.#change(async (state) => {
      if (state.serving === serving) return undefined;
      const previous = [...state.previous, state.serving].slice(-MODEL_REGISTRY_LIMITS.steps);
      const shadow = state.shadow?.model === label ? null : state.shadow;
      return this.#noted({ ...state, serving, previous, shadow }, 'promote', label, deed);
    });
  }

  /**
   * Puts back what served before.
   * @returns its label
   * @throws AppError `conflict` when nothing did
   */
  async rollback(deed: Deed): Promise<string> {
    const own = await this.#fallbackLabel();
    let back = '';
    await this.#change(async (state) => {
      const last = state.previous.at(-1);
      if (last === undefined) throw new AppError('conflict', 'No model was promoted: there is nothing to go back to.');
      back = last ?? own ?? this.fallback;
      return this.#noted({ ...state, serving: last, previous: state.previous.slice(0, -1) }, 'rollback', back, deed);
    });
    return back;
  }

  /** Lets a model score beside the serving one. */
  async shadow(label: string, deed: Deed): Promise<void> {
    await this.find(label);
    await this.#change(async (state) =>
      this.#noted({ ...state, shadow: { model: label, since: new Date(this.clock()).toISOString() } }, 'shadow', label, deed));
  }

  /** Ends the shadowing of a model, if it is under way. */
  async endShadow(label: string, deed: Deed): Promise<void> {
    await this.#change(async (state) => (state.shadow?.model === label ? this.#noted({ ...state, shadow: null }, 'unshadow', label, deed) : undefined));
  }

  /** Notes that a model is not to serve, and why. */
  async refuse(label: string, deed: Deed): Promise<void> {
    await this.#change(async (state) =>
      this.#noted({ ...state, shadow: state.shadow?.model === label ? null : state.shadow }, 'refuse', label, deed));
  }

  folderOf(label: string): string {
    return join(this.dir, label);
  }

  #noted(state: RegistryState, action: ModelAction, model: string, { by, why }: Deed): RegistryState {
    const entry = { at: new Date(this.clock()).toISOString(), by, action, model, why: why.slice(0, MODEL_REGISTRY_LIMITS.reasonChars) };
    return { ...state, journal: [...state.journal, entry].slice(-MODEL_REGISTRY_LIMITS.journal) };
  }

  /** @param change returns the new state, undefined to leave it */
  async #change(change: (state: RegistryState) => Promise<RegistryState | undefined>): Promise<void> {
    await mkdir(this.dir, { recursive: true });
    await whileLocked(join(this.dir, '.lock'), async () => {
      const next = await change(await this.state());
      if (next !== undefined) await replaceFile(join(this.dir, 'models.json'), `${JSON.stringify(next, null, 1)}\n`);
    });
  }

  async #labels(): Promise<string[]> {
    try {
      const entries = await readdir(this.dir, { withFileTypes: true });
      return entries.filter((entry) => entry.isDirectory() && Check(Label, entry.name)).map((entry) => entry.name).toSorted();
    } catch (error) {
      if (isMissing(error)) return [];
      throw error;
    }
  }

  /** Label of the model in MODEL_DIR, when there is one that can be read. */
  async #fallbackLabel(): Promise<string | undefined> {
    return readManifest(this.fallback).then(labelOf, () => undefined);
  }
}

const isMissing = (error: unknown): boolean => error instanceof Error && 'code' in error && error.code === 'ENOENT';
