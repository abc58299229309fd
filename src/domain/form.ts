import { Type, type TStringOptions } from '../util/type.js';

/** @param words what a text of this form is: a message about one that is not says `… must be <words>.` */
export const form = (pattern: string, words: string, lengths?: Pick<TStringOptions, 'minLength' | 'maxLength'>) => Type.String({ pattern, description: words, ...lengths });

export const CurrencyCode = form('^[A-Z]{3}$', 'a currency of three capital letters (ISO 4217), e.g. EUR');
export const DaySchema = form('^([0-9]{4}-)?(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$', 'a day as MM-DD or YYYY-MM-DD');
/** Of a list that goes on. */
export const cursor = (pattern: string) => form(pattern, 'the cursor that an earlier page gave');
/** Of a stream in Redis. */
export const EntryCursor = cursor('^[0-9]{1,16}-[0-9]{1,16}$');
/** Words for people: blank ones say nothing. */
export const title = (maxLength: number) => form('\\S', 'words, not only blanks', { maxLength });
