import { test } from 'tap';
import { isoTime } from '../../src/domain/iso-time.js';

void test('a time without an offset is UTC, wherever this runs', (t) => {
  const noon = Date.UTC(2024, 1, 29, 12);
  for (const text of ['2024-02-29T12:00Z', '2024-02-29T12:00', '2024-02-29T12:00:00', '2024-02-29 12:00:00', '2024-02-29T12:00:00.000000Z', '2024-02-29T14:00:00+02:00', '2024-02-29T06:30:00.000-0530', '2024-02-29 14:00+02:00']) {
    t.equal(isoTime(text), noon, text);
  }
  t.equal(isoTime('2024-02-29'), Date.UTC(2024, 1, 29));
  t.equal(isoTime('2024-02-29T12:00:00.250'), noon + 250);
  t.end();
});

void test('what is not ISO 8601 is no time, though Date.parse takes it', (t) => {
  for (const text of ['', 'Jan 1 2020', '2020', '1', 'yesterday', '2024-13-01', '2024-02-29T25:00Z', '29.2.2024', '2024-02-29Z', '2024-02-29T12Z', '2024-02-29T12:00 UTC', '+012024-02-29']) t.ok(Number.isNaN(isoTime(text)), text);
  t.end();
});
