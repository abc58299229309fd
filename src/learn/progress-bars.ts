import { Presets, SingleBar } from 'cli-progress';
import type { OnProgress } from './progress.js';

const FORMAT = '{stage} |{bar}| {percentage}% {eta_formatted} left {note}';
const STAGE_CHARS = 12;

/** Shows each stage of a training as a bar with the time left. */
export function showProgress(): { readonly onProgress: OnProgress; readonly stop: () => void } {
  let bar: SingleBar | undefined;
  let current = '';
  const stop = (): void => {
    bar?.stop();
    bar = undefined;
    current = '';
  };
  const onProgress: OnProgress = ({ stage, done, total, note }) => {
    if (bar === undefined || stage !== current) {
      stop();
      bar = new SingleBar({ format: FORMAT, hideCursor: true }, Presets.shades_classic);
      bar.start(total, 0, { stage: stage.padEnd(STAGE_CHARS), note });
      current = stage;
    }
    bar.update(done, { note });
  };
  return { onProgress, stop };
}
