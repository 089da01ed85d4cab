// Keeps the picture at the distance from the live edge that the server asks for: not further, because that is latency, and
// not nearer, because the next part could come too late.

/** Nearer than this to the aim is on the aim, in seconds. */
const CLOSE_S = 0.05;
/** From here on catching up is left out: what is between is not shown, in seconds. */
const JUMP_S = 1;
/** The steepest pace: nobody hears it, and a second is caught up with in ten. */
const MAX_CHANGE = 0.1;
/** The pace changes by this much per second of distance. */
const GAIN = 0.2;
/** What stays buffered after a jump, in seconds. */
const JUMP_MARGIN_S = 0.2;

/**
 * What to do about being `behind` the aim; negative is too near to the edge. A jump is in seconds, forward.
 *
 * @param {number} behind seconds
 * @param {number} buffer seconds that can be played without anything more arriving
 * @returns {{ jump: number, rate: number }}
 */
export function pace(behind, buffer) {
  const jump = Math.min(behind, buffer - JUMP_MARGIN_S);
  if (behind > JUMP_S && jump > JUMP_S / 2) return { jump, rate: 1 };
  if (Math.abs(behind) < CLOSE_S) return { jump: 0, rate: 1 };
  const change = Math.max(-MAX_CHANGE, Math.min(MAX_CHANGE, behind * GAIN));
  // Steps of a hundredth, so that the rate is not set anew with every look.
  return { jump: 0, rate: 1 + Math.sign(change) * Math.max(0.01, Math.round(Math.abs(change) * 100) / 100) };
}
