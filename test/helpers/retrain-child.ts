import { retrain, type RetrainTask } from '../../src/learn/models/retrain.js';
import { ENGINE_FEATURES, linearModel, writeTestModel } from './models.js';

/** The process behind the retraining job, with a training that takes no time: the model is the feature `related`. */
const features = { userFeatures: ENGINE_FEATURES.userFeatures, itemFeatures: ['related'] };

process.once('message', (task: RetrainTask) => {
  void retrain(task, [({ out }) => writeTestModel(out, { name: 'related', features, onnx: linearModel(features) })], Date.now).then((reply) => process.send?.(reply));
});
process.once('disconnect', () => { process.exit(0); });
