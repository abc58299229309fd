import { performance } from 'node:perf_hooks';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { GraphBuilder } from '../../src/learn/onnx.js';
import { saveModel, type GoldenInput } from '../../src/learn/save-model.js';
import { ENGINE_FEATURES } from '../../src/ranking/features.js';
import type { FeatureNames } from '../../src/ranking/model.js';

export { ENGINE_FEATURES };

export interface TestModelOptions {
  readonly features?: FeatureNames;
  readonly name?: string;
  readonly version?: string;
  /** Model file, when it is not the linear one. */
  readonly onnx?: Uint8Array;
  readonly golden?: readonly GoldenInput[];
}

/** Writes a valid folder with a tiny model: `score = Σ item + Σ user + offset`. */
export async function writeTestModel(folder: string, options: TestModelOptions & { readonly offset?: number } = {}): Promise<void> {
  const features = options.features ?? ENGINE_FEATURES;
  await saveModel(folder, {
    onnx: options.onnx ?? linearModel(features, options.offset ?? 0),
    golden: options.golden ?? [
      { name: 'zeros', user: zeros(features.userFeatures), items: [zeros(features.itemFeatures)] },
      { name: 'two items', user: zeros(features.userFeatures), items: [zeros(features.itemFeatures).fill(1), zeros(features.itemFeatures).fill(-2)] },
    ],
    manifest: {
      name: options.name ?? 'test', version: options.version ?? '1', userFeatures: [...features.userFeatures], itemFeatures: [...features.itemFeatures],
      trainedAt: '2026-01-01T00:00:00Z', data: { source: 'none' }, metrics: {}, licence: 'Apache-2.0',
    },
  });
}

/** `score = Σ item + Σ user + offset`. */
export function linearModel(features: FeatureNames, offset = 0): Uint8Array {
  const graph = contract(features);
  graph.op('Identity', [linearScore(graph, features, offset)], {}, 'score');
  return graph.model();
}

/** `score = 0` for every item. */
export function constantModel(features: FeatureNames): Uint8Array {
  const graph = contract(features);
  const score = linearScore(graph, features, 0);
  graph.op('Sub', [score, score], {}, 'score');
  return graph.model();
}

/** Scores like the test model where that score is above `-lift`, and gives NaN below. */
export function nanModel(features: FeatureNames, lift: number): Uint8Array {
  const graph = contract(features);
  const sum = linearScore(graph, features, 0);
  // √x is NaN below zero; above, √x − √x adds nothing.
  const root = graph.op('Sqrt', [graph.op('Add', [sum, graph.floats('lift', [lift], [1])])]);
  graph.op('Add', [sum, graph.op('Sub', [root, root])], {}, 'score');
  return graph.model();
}

/** Spends about `ms` on every run. */
export async function slowModel(features: FeatureNames, ms: number): Promise<Uint8Array> {
  return stallingGraph(features, { ms, feature: undefined });
}

/**
 * Spends about `ms` on a run whose user feature is above 0.5, and scores like the test model at once otherwise, so it
 * passes golden cases and warm-up and stalls on demand: with the default, whenever the scene is `live`.
 */
export async function stallingModel(features: FeatureNames = ENGINE_FEATURES, ms = 5000, feature = 'scene_live'): Promise<Uint8Array> {
  return stallingGraph(features, { ms, feature });
}

async function stallingGraph(features: FeatureNames, { ms, feature }: { ms: number; feature: string | undefined }): Promise<Uint8Array> {
  const trial = 40;
  const perTurn = await timeRun(buildStall(features, trial, undefined), features) / trial;
  return buildStall(features, Math.max(1, Math.round(ms / perTurn)), feature);
}

/** A `Loop` of matrix products, behind an `If` on a feature when one is named. */
function buildStall(features: FeatureNames, turns: number, feature: string | undefined): Uint8Array {
  const size = 256;
  const graph = contract(features);
  const score = linearScore(graph, features, 0);
  graph.floats('matrix', new Float32Array(size * size).fill(1 / size), [size, size]);
  graph.integers('turns', [turns], []);
  graph.boolean('go', true);
  const seed = graph.op('ReduceSum', ['user'], { keepdims: 0 });

  const body = new GraphBuilder('body');
  body.input('turn', [], 'int64');
  body.input('go_in', [], 'bool');
  body.input('state', [size, size]);
  body.op('Identity', ['go_in'], {}, 'go_out');
  body.op('Tanh', [body.op('MatMul', ['state', 'matrix'])], {}, 'state_out');
  body.output('go_out', [], 'bool');
  body.output('state_out', [size, size]);

  const stall = (into: GraphBuilder, output: string): string => {
    const [state] = into.ops('Loop', ['turns', 'go', into.op('Mul', ['matrix', seed])], { body }, [`${output}_state`]);
    const nothing = into.op('Mul', [into.op('ReduceSum', [state!], { keepdims: 0 }), into.floats(`${output}_zero`, [0], [])]);
    return into.op('Add', [score, nothing], {}, output);
  };
  if (feature === undefined) {
    stall(graph, 'score');
    return graph.model();
  }
  const column = graph.integers('column', [features.userFeatures.indexOf(feature)]);
  const value = graph.op('Gather', ['user', column], { axis: 1 });
  const high = graph.op('Reshape', [graph.op('Greater', [value, graph.floats('half', [0.5], [])]), graph.integers('scalar', [1])]);
  const yes = new GraphBuilder('yes');
  stall(yes, 'yes_score');
  yes.output('yes_score', ['N']);
  const no = new GraphBuilder('no');
  no.op('Identity', [score], {}, 'no_score');
  no.output('no_score', ['N']);
  graph.op('If', [high], { then_branch: yes, else_branch: no }, 'score');
  return graph.model();
}

function contract({ userFeatures, itemFeatures }: FeatureNames): GraphBuilder {
  const graph = new GraphBuilder('test');
  graph.input('user', [1, userFeatures.length]);
  graph.input('items', ['N', itemFeatures.length]);
  graph.output('score', ['N']);
  return graph;
}

function linearScore(graph: GraphBuilder, { itemFeatures }: FeatureNames, offset: number): string {
  const user = graph.op('ReduceSum', ['user'], { keepdims: 0 });
  const items = graph.op('MatMul', ['items', graph.floats('ones', new Float32Array(itemFeatures.length).fill(1), [itemFeatures.length])]);
  return graph.op('Add', [graph.op('Add', [items, user]), graph.floats('offset', [offset], [])]);
}

async function timeRun(onnx: Uint8Array, { userFeatures, itemFeatures }: FeatureNames): Promise<number> {
  const session = await InferenceSession.create(onnx, { intraOpNumThreads: 1 });
  const feeds = {
    user: new Tensor('float32', new Float32Array(userFeatures.length), [1, userFeatures.length]),
    items: new Tensor('float32', new Float32Array(itemFeatures.length), [1, itemFeatures.length]),
  };
  // The quickest of several: others may be using the machine.
  let quickest = Infinity;
  for (let i = 0; i < 8; i++) {
    const startedAt = performance.now();
    await session.run(feeds);
    quickest = Math.min(quickest, performance.now() - startedAt);
  }
  await session.release();
  return quickest;
}

function zeros(names: readonly string[]): number[] {
  return Array.from({ length: names.length }, () => 0);
}
