import type { InferenceSession } from 'onnxruntime-node';

/**
 * Threads of a training. They sleep between operators instead of spinning: a spinning thread is quicker to begin, but
 * takes its core from the engine that serves beside the training, and from a second training altogether (with four
 * spinning threads on two cores a test of the ranker took 86 s, asleep 38).
 */
export function trainingSession(threads = 2): InferenceSession.SessionOptions {
  return { intraOpNumThreads: threads, interOpNumThreads: 1, extra: { session: { intra_op: { allow_spinning: '0' } } } };
}
