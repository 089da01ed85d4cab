// Which rendition the way from the server can carry.

/** Of the throughput, what the rendition that is playing may need, and what one above it. */
const TO_STAY = 0.9;
const TO_CLIMB = 0.7;

/**
 * A rendition that can be had.
 *
 * @typedef {{ index: number, bitrate: number }} Rung bits per second, at its peak
 */

/**
 * The best rung that `throughput` carries, the lowest when it carries none.
 *
 * @param {Rung[]} rungs at least one
 * @param {number} current index of the rung that is playing
 * @param {number} throughput bits per second
 */
export function best(rungs, current, throughput) {
  const now = rungs.find(({ index }) => index === current);
  const carried = rungs.filter((rung) => {
    const above = now !== undefined && rung.bitrate > now.bitrate;
    return rung.bitrate <= throughput * (above ? TO_CLIMB : TO_STAY);
  });
  return carried.length > 0 ? extreme(carried, Math.max) : extreme(rungs, Math.min);
}

/**
 * Whether to leave a rung in mid-segment. That shows: the picture stands still until the next keyframe, or for as long as it
 * takes to load the segment anew. So only where staying would make it stand still for longer.
 *
 * @param {object} state
 * @param {number} state.buffer seconds that can be played without anything more arriving
 * @param {number} state.restBits of what is being loaded
 * @param {number} state.restSeconds that it plays
 * @param {number} state.followingSeconds of the segment after that
 * @param {number} state.segmentSeconds
 * @param {number} state.bitrate of the rung, bits per second
 * @param {number} state.lower bitrate of the rung to go to
 * @param {number} state.throughput bits per second
 */
export function mustLeave({ buffer, restBits, restSeconds, followingSeconds, segmentSeconds, bitrate, lower, throughput }) {
  const staying = (restBits + bitrate * followingSeconds) / throughput;
  const leaving = (lower * segmentSeconds) / throughput;
  const rest = followingSeconds + restSeconds;
  return staying - rest - buffer > Math.max(rest, leaving - buffer);
}

/**
 * @param {Rung[]} rungs
 * @param {(...bitrates: number[]) => number} of
 */
function extreme(rungs, of) {
  const wanted = of(...rungs.map(({ bitrate }) => bitrate));
  return rungs.find(({ bitrate }) => bitrate === wanted)?.index ?? 0;
}
