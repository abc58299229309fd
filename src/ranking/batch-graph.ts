import onnxProto from 'onnx-proto';

const { onnx } = onnxProto;
type Graph = NonNullable<ReturnType<typeof onnx.ModelProto.decode>['graph']>;
type ValueInfo = NonNullable<Graph['input']>[number];

/** A model's graph as one that scores many users in a run, and the names of its inputs and output. */
export interface BatchGraph {
  readonly onnx: Uint8Array;
  /** float32 [B, 1, U] */
  readonly user: string;
  /** float32 [B, R, C] */
  readonly items: string;
  /** float32, B · R numbers, user by user. */
  readonly score: string;
}

const FLOAT = onnx.TensorProto.DataType.FLOAT;
const NAMES = { user: 'batch_user', items: 'batch_items', score: 'batch_score' } as const;

/**
 * The same graph, its inputs declared with a leading axis of users. Right where every operator broadcasts over it, as those do that
 * our own trainer writes for responses; any other graph is refused when it is loaded or gives other scores.
 */
export function redeclared(model: Uint8Array): BatchGraph {
  const decoded = onnx.ModelProto.decode(model);
  const graph = decoded.graph!;
  const [user, items] = inputsOf(graph);
  graph.input = [valueInfo('user', ['B', 1, widthOf(user)]), valueInfo('items', ['B', 'R', widthOf(items)])];
  // What was noted of shapes on the way is no longer so.
  graph.valueInfo = [];
  for (const output of graph.output ?? []) delete output.type!.tensorType!.shape;
  return { onnx: onnx.ModelProto.encode(decoded).finish(), user: 'user', items: 'items', score: 'score' };
}

/** The graph as the body of a `Scan` over the users: right for any. */
export function scanned(model: Uint8Array): BatchGraph {
  const decoded = onnx.ModelProto.decode(model);
  const body = decoded.graph!;
  const [user, items] = inputsOf(body);
  body.input = [user, items];
  const { AttributeType } = onnx.AttributeProto;
  decoded.graph = onnx.GraphProto.create({
    name: 'batch',
    node: [{
      opType: 'Scan', input: [NAMES.user, NAMES.items], output: [NAMES.score],
      attribute: [{ name: 'body', type: AttributeType.GRAPH, g: body }, { name: 'num_scan_inputs', type: AttributeType.INT, i: 2 }],
    }],
    input: [valueInfo(NAMES.user, ['B', 1, widthOf(user)]), valueInfo(NAMES.items, ['B', 'R', widthOf(items)])],
    output: [valueInfo(NAMES.score, ['B', 'R'])],
  });
  return { onnx: onnx.ModelProto.encode(decoded).finish(), ...NAMES };
}

/** Of a graph that follows the contract. */
function inputsOf({ input }: Graph): [user: ValueInfo, items: ValueInfo] {
  const named = (name: string): ValueInfo => input!.find((value) => value.name === name)!;
  return [named('user'), named('items')];
}

const widthOf = ({ type }: ValueInfo): number => Number(type!.tensorType!.shape!.dim![1]!.dimValue);

function valueInfo(name: string, shape: readonly (number | string)[]): ValueInfo {
  const dim = shape.map((length) => (typeof length === 'number' ? { dimValue: length } : { dimParam: length }));
  return { name, type: { tensorType: { elemType: FLOAT, shape: { dim } } } };
}
