// Reads the TAP that tap's runner prints: files at the left margin, the tests of a file indented by four spaces,
// each one's details before its result.

const RESULT = /^( *)(not ok|ok) \d+(?: - (.*))?$/;
const TIME = / # time=([\d.]+m?s)$/;
const DIRECTIVE = / # (?:SKIP|TODO)\b *(.*)$/i;

/**
 * Returns `{line(text), total()}`. A test is a result directly inside a file; one skipped at any depth is told by
 * name. A file that failed though none of its tests did (it crashed or hung), or that has no tests, is one failure.
 * `onFile` gets each finished file: `{name, passed, failed, skipped: [{name, reason}], duration, details: lines}`.
 */
export function readTap({ onFile }) {
  const total = { passed: 0, failed: 0, skipped: [] };
  let file = emptyFile();
  let lines = []; // since the last test's result
  let inDiagnosis = false;

  const line = (text) => {
    // What follows a failed test's result, indented by two more, says what was wrong with it.
    inDiagnosis = inDiagnosis && text.startsWith('      ');
    if (inDiagnosis) {
      file.details.push(text);
      return;
    }
    lines.push(text);
    const result = RESULT.exec(text.replace(TIME, ''));
    if (result === null) return;
    const depth = result[1].length / 4;
    const ok = result[2] === 'ok';
    const [name, reason] = splitDirective(result[3] ?? '');
    if (depth === 0) {
      finishFile({ name, ok, reason, duration: TIME.exec(text)?.[1] });
    } else if (reason !== undefined) {
      file.skipped.push({ name, reason });
    } else if (depth === 1) {
      finishTest(ok);
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

  const finishFile = ({ name, ok, reason, duration }) => {
    const isEmpty = reason === 'no tests found';
    if (reason !== undefined && !isEmpty) file.skipped.push({ name, reason });
    if ((isEmpty || (!ok && reason === undefined)) && file.failed === 0) {
      file.failed = 1;
      file.details.push(...lines);
    }
    total.passed += file.passed;
    total.failed += file.failed;
    total.skipped.push(...file.skipped.map((skip) => ({ ...skip, file: name })));
    onFile({ ...file, name, duration });
    file = emptyFile();
    lines = [];
  };

  return { line, total: () => total };
}

function emptyFile() {
  return { passed: 0, failed: 0, skipped: [], details: [] };
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
