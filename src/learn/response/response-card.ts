import type { Manifest } from '../../ranking/manifest.js';
import type { ResponseQuality } from './metrics.js';

/** What came out of a training. */
export interface MadeResponse {
  readonly manifest: Omit<Manifest, 'contract' | 'schemaHash' | 'sha256'>;
  /** Of the test examples. */
  readonly quality: Readonly<Record<string, ResponseQuality>>;
}

/** The README beside a response model. */
export function responseCard({ manifest, quality, command }: MadeResponse & { readonly command: string }): string {
  const { name, version, data, metrics, licence, userFeatures, itemFeatures } = manifest;
  const rows = Object.entries(quality).map(([label, { rocAuc, prAuc, logLoss, calibrationError }]) =>
    `| ${[label, ...[rocAuc, prAuc, logLoss, calibrationError].map((value) => value.toFixed(4))].join(' | ')} |`);
  return `# ${name}@${version}

Says how likely a shopper is to convert under an offer, or under none (row 0): a logistic regression on ${userFeatures.length} shopper and ${itemFeatures.length} offer features
plus two hidden layers, calibrated (Platt) on examples it was not trained on. No feature is an offer's identity, so it serves offers it has
never seen. Written by \`${command}\`, which gives the same \`model.onnx\` again, bit for bit on the same platform. Licence: ${licence}.

## Data

${Object.entries(data).map(([key, value]) => `- ${key}: ${typeof value === 'string' ? value : JSON.stringify(value)}`).join('\n')}

## Measured on examples of the test part, through onnxruntime

| scores | ROC AUC | PR AUC | log loss | calibration error (10 bins) |
|---|---|---|---|---|
${rows.join('\n')}

\`metrics.logitError\` ${String(metrics['logitError'])}: how far the logits of two models fitted to half of the examples each lie apart, halved. Thompson sampling takes
it as the deviation of what is believed; it does not know what all such models get wrong alike.
`;
}
