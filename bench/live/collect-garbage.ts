/**
 * Loaded into the engine's processes where memory is measured: whoever asks gets a full collection, and a line on stderr that says what the
 * process has left: its resident memory without what V8 keeps of free heap, and of it V8's objects and buffers. See `settledMemory`.
 */
process.on('SIGWINCH', () => {
  globalThis.gc?.();
  const { rss, heapTotal, heapUsed, arrayBuffers } = process.memoryUsage();
  process.stderr.write(`${JSON.stringify({ settled: { pid: process.pid, at: Date.now(), bytes: rss - heapTotal + heapUsed, heapBytes: heapUsed, bufferBytes: arrayBuffers } })}\n`);
});
