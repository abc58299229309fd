import onnxProto from 'onnx-proto';
import { ITEM_FEATURES } from '../../ranking/features.js';
import { readModelFiles } from '../../ranking/manifest.js';
import { USER_FEATURES } from '../../profile/vector.js';
import type { Weights } from '../graph/weights.js';
import type { Columns } from './batches.js';
import { SERVING } from './export-ranker.js';
import { RANKER_SETTINGS } from './settings.js';
import type { NetworkShape } from './network.js';
import type { ExportedRanker } from './ranker.js';
import type { Scaling } from './scaling.js';

/**
 * Reads a model folder to go on from.
 * @returns undefined when the model is another tool's, or of another shape
 * @throws AppError `model_refused` when the folder is no sound model
 */
export async function readExported(folder: string, { hidden: [first, second] }: Pick<NetworkShape, 'hidden'> = RANKER_SETTINGS): Promise<ExportedRanker | undefined> {
  const { manifest, onnx } = await readModelFiles(folder);
  const { graph } = onnxProto.onnx.ModelProto.decode(onnx);
  const floats = (graph?.initializer ?? []).filter(({ dataType }) => dataType === onnxProto.onnx.TensorProto.DataType.FLOAT);
  const tensors = new Map(floats.map(({ name, rawData }) => [name ?? '', floatsOf(rawData ?? new Uint8Array(0))]));
  const { userFeatures, itemFeatures } = manifest;
  const lengths = {
    [SERVING.userWeights]: userFeatures.length * first, [SERVING.itemWeights]: itemFeatures.length * first, [SERVING.bias1]: first,
    [SERVING.weights2]: first * second, [SERVING.bias2]: second, [SERVING.weights3]: second,
  };
  if (Object.entries(lengths).some(([name, length]) => tensors.get(name)?.length !== length)) return undefined;
  return { userFeatures, itemFeatures, tensors };
}

/**
 * Sets the weights of a new network to score as the exported one does. Columns it did not know begin at zero weight, so
 * that they change nothing before they are learnt; one it knew that does not vary now goes into the bias.
 */
export function startFrom(weights: Weights, { userFeatures, itemFeatures, tensors }: ExportedRanker, columns: Columns, shape: NetworkShape, headValues: readonly number[]): void {
  const [first, second] = shape.hidden;
  const tensor = (name: string): Float32Array => tensors.get(name)!;
  const bias = Float64Array.from(tensor(SERVING.bias1));
  const refold = (raw: Float32Array, theirs: readonly string[], ours: readonly string[], scaling: Scaling, used: readonly number[]): Float32Array => {
    const folded = new Float32Array(used.length * first);
    theirs.forEach((name, row) => {
      const column = ours.indexOf(name);
      if (column < 0) return;
      for (let unit = 0; unit < first; unit++) bias[unit]! += scaling.mean[column]! * raw[row * first + unit]!;
      const place = used.indexOf(column);
      // A column may be in use that does not vary: see `columnsOf`. It is zero, and its weight says nothing.
      if (place < 0 || scaling.deviation[column] === Infinity) return;
      for (let unit = 0; unit < first; unit++) folded[place * first + unit] = raw[row * first + unit]! * scaling.deviation[column]!;
    });
    return folded;
  };
  const users = refold(tensor(SERVING.userWeights), userFeatures, USER_FEATURES, columns.scaling.user, columns.user);
  const items = refold(tensor(SERVING.itemWeights), itemFeatures, ITEM_FEATURES, columns.scaling.item, columns.item);
  const set = (name: string, dims: readonly number[], values: ArrayLike<number>): void => { weights.get(name, dims, { fill: 0 }).values.set(values); };
  set('user_weights', [columns.user.length, first], users);
  set('item_weights', [columns.item.length, first], items);
  set('bias1', [first], bias);
  set('second_weights', [first, second], tensor(SERVING.weights2));
  set('second_bias', [second], tensor(SERVING.bias2));
  // One column was exported, the sum of heads times values: all heads begin as one.
  const value = headValues.reduce((sum, one) => sum + one, 0);
  const heads = new Float32Array(second * shape.heads);
  tensor(SERVING.weights3).forEach((weight, unit) => { heads.fill(weight / value, unit * shape.heads, (unit + 1) * shape.heads); });
  set('head_weights', [second, shape.heads], heads);
}

/** Copied: the bytes of a decoded message need not be aligned. */
function floatsOf(bytes: Uint8Array): Float32Array {
  return bytes.length % 4 === 0 ? new Float32Array(new Uint8Array(bytes).buffer) : new Float32Array(0);
}
