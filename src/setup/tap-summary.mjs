// Reads the TAP that a test file prints: its tests at the left margin, what is inside a test indented by four spaces,
// each one's details before its result.

const RESULT = /^( *)(not ok|ok) \d+(?: - (.*))?$/;
const PLAN = /^1\.\.(\d+)(?: # (.*))?$/;
const TIME = / # time=([\d.]+m?s)$/;
const DIRECTIVE = / # (?:SKIP|TODO)\b *(.*)$/i;

/**
 * Returns `{line(text), end(exitCode)}`; `end` tells `{name, passed, failed, skipped: [{name, reason, file}],
 * details: lines}`. A test is a result at the left margin; one skipped at any depth is told by name. A file that failed
 * though none of its tests did (it crashed, hung, ended early, or has no tests) is one failure.
 */
export function readTap(name) {
  const file = { name, passed: 0, failed: 0, skipped: [], details: [] };
  let results = 0;
  let planned;
  let lines = []; // since the last test's result
  let inDiagnosis = false;

  const line = (text) => {
    // What follows a failed test's result, indented by two, says what was wrong with it.
    inDiagnosis = inDiagnosis && text.startsWith('  ');
    if (inDiagnosis) {
      file.details.push(text);
      return;
    }
    lines.push(text);
    const plan = PLAN.exec(text);
    if (plan !== null) finishFile(Number(plan[1]), plan[2]);
    const result = RESULT.exec(text.replace(TIME, ''));
    if (result === null) return;
    const isTest = result[1] === '';
    if (isTest) results++;
    const [test, reason] = splitDirective(result[3] ?? '');
    if (reason !== undefined) {
      file.skipped.push({ name: test, reason, file: name });
    } else if (isTest) {
      finishTest(result[2] === 'ok');
    }
  };

  const finishTest = (ok) => {
    if (ok) {
      file.passed++;
    } else {
      file.failed++;
      file.details.push(...lines);
      inDiagnosis = true;
    }
    lines = [];
  };

  const finishFile = (count, reason) => {
    planned = count;
    if (count === 0 && reason !== undefined) file.skipped.push({ name, reason: reason.replace(/^SKIP */i, ''), file: name });
  };

  const end = (exitCode) => {
    const isEmpty = results === 0 && file.skipped.length === 0;
    if (file.failed === 0 && (exitCode !== 0 || planned !== results || isEmpty)) {
      file.failed = 1;
      file.details.push(...lines, `# ended with exit code ${exitCode} after ${results} of ${planned ?? 'its'} tests`);
    }
    return file;
  };

  return { line, end };
}

/** `name # SKIP reason` → [name, reason]; the reason is undefined where there is no directive. */
function splitDirective(text) {
  const directive = DIRECTIVE.exec(text);
  return directive === null ? [text, undefined] : [text.slice(0, directive.index), directive[1]];
}

/** The last line of a test run: `N passed, N failed`, and the skipped ones when there are any. */
export function summaryLine({ passed, failed, skipped }) {
  const counts = `${passed} passed, ${failed} failed`;
  return skipped.length === 0 ? counts : `${counts}, ${skipped.length} skipped`;
}

export function skippedLine({ name, file, reason }) {
  const what = name === file ? file : `${name} (${file})`;
  return reason === '' ? `skipped: ${what}` : `skipped: ${what}: ${reason}`;
}

/** The files that took longest, for whoever wants the run to be shorter. */
export function slowestLine(files, count = 8) {
  const slowest = files.toSorted((a, b) => b.seconds - a.seconds).slice(0, count);
  return `slowest: ${slowest.map(({ name, seconds }) => `${name.replace(/^dist\/test\/|\.test\.js$/g, '')} ${seconds.toFixed(0)} s`).join(', ')}`;
}
