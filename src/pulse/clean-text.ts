/** Signs that show nothing, or turn what stands around them: controls, bidirectional overrides, marks of order, private use. */
const HIDDEN = /[\p{Cc}\p{Cs}\p{Co}\p{Cn}\p{Zl}\p{Zp}\u00AD\u061C\u180E\u200B\u200C\u200E\u200F\u202A-\u202E\u2060-\u206F\uFEFF\uFFF9-\uFFFB]+/gu;
/** Marks stacked on one letter: writing needs few. */
const STACKED_MARKS = /(\p{Mn}{3})\p{Mn}+/gu;
const SPACES = /\s+/gu;

/** @returns the text as it may be shown to others, in one line; empty when nothing is left; undefined when it has more than `charsMax` characters */
export function cleanText(text: string, charsMax: number): string | undefined {
  const clean = text.replace(SPACES, ' ').replace(HIDDEN, '').replace(SPACES, ' ').normalize('NFC').replace(STACKED_MARKS, '$1').trim();
  return Array.from(clean).length > charsMax ? undefined : clean;
}
