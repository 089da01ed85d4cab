// Keeps the picture at the distance from the live edge that the server asks for: not further, because that is latency, and
// not nearer, because the next part could come too late.

/** Nearer than this to the aim is on the aim, in seconds. */
const CLOSE_S = 0.05;
/** From here on catching up is left out: what is between is not shown, in seconds. */
const JUMP_S = 0.6;
/** The steepest pace: nobody hears it, and half a second is caught up with in ten. */
const MAX_CHANGE = 0.1;
/** The pace changes by this much per second of distance. */
const GAIN = 0.2;
/** With less than this left, what comes next comes late, in seconds: the picture dawdles, the more the less is left, so that
 * it need not stand still. A browser that has run dry once waits for half a second and more before it goes on. */
const THIN_S = 0.35;
/** How much slower at most, for the second or two that it takes to get to another rendition. */
const MAX_DAWDLE = 0.3;
/** What stays buffered after a jump, in seconds. */
const JUMP_MARGIN_S = 0.2;
/** A picture that stands still this long although there is more to play is helped over the hole, in milliseconds. Each help
 * that did not help doubles it: what is jumped to has to be loaded first, and another jump would only begin that anew. */
const HELP_AFTER_MS = 700;

/**
 * What to do about being `behind` the aim; negative is too near to the edge. A jump is in seconds, forward.
 *
 * @param {object} state
 * @param {number} state.behind seconds
 * @param {number} state.buffer seconds that can be played without anything more arriving
 * @param {number} state.standingStillMs
 * @param {number} state.helped how often the picture has been helped and has not moved since
 * @returns {{ jump: number, rate: number }}
 */
export function pace({ behind, buffer, standingStillMs, helped }) {
  const jump = Math.min(behind, buffer - JUMP_MARGIN_S);
  if (behind > JUMP_S && jump > JUMP_S / 2) return { jump, rate: 1 };
  // hls.js can stay where it has no audio: before a hole of a millisecond, when it takes the segment before as the next to
  // load, and as loaded; or at a start before the first audio that it loads. The aim lies beyond the buffer only where the
  // playlist has more.
  if (standingStillMs > HELP_AFTER_MS * 2 ** helped && behind > buffer + JUMP_MARGIN_S) return { jump: behind, rate: 1 };
  if (buffer < THIN_S) return { jump: 0, rate: 1 - inHundredths(MAX_DAWDLE * (1 - buffer / THIN_S)) };
  if (Math.abs(behind) < CLOSE_S) return { jump: 0, rate: 1 };
  const change = Math.max(-MAX_CHANGE, Math.min(MAX_CHANGE, behind * GAIN));
  return { jump: 0, rate: 1 + Math.sign(change) * inHundredths(Math.abs(change)) };
}

/** So that the rate is not set anew with every look. @param {number} change more than nought */
function inHundredths(change) {
  return Math.max(0.01, Math.round(change * 100) / 100);
}
