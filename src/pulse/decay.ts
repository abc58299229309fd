/**
 * Counts that fade: after `tau` ms e⁻¹ of one is left. Kept as ln(level) + time/tau, which does not change while time goes by: nothing has to be
 * touched to fade, all of one tau keep their order, and the smallest can be dropped. `count-room.lua` adds to them in the same way.
 */
export const FADING_MS = {
  /** What is asked, and how the mood is: the last minutes. */
  talk: 3 * 60_000,
  /** Carts now … */
  carts: 60_000,
  /** … and as usual. */
  usualCarts: 20 * 60_000,
} as const;

/** @param kept as above; undefined: nothing yet */
export const levelOf = (kept: number | undefined, now: number, tau: number): number => (kept === undefined ? 0 : Math.exp(kept - now / tau));

/** @returns what is kept after adding `weight` at `now` */
export const addTo = (kept: number | undefined, weight: number, now: number, tau: number): number => Math.log(levelOf(kept, now, tau) + weight) + now / tau;
