/** Loaded into the engine's processes where memory is measured: whoever asks gets a full collection. See `settledRss`. */
process.on('SIGWINCH', () => { globalThis.gc?.(); });
