// Which rendition the way from the server can carry.

/** Of the throughput, what the rendition that is playing may need, and what one above it. */
const TO_STAY = 0.9;
const TO_CLIMB = 0.7;

/**
 * A rendition that can be had: the better, the higher its index. A better one may need fewer bits, as a source that is easy
 * to encode does beside a rung of a fixed bitrate.
 *
 * @typedef {{ index: number, bitrate: number }} Rung bits per second, at its peak
 */

/**
 * The best rung that `throughput` carries, the lightest when it carries none.
 *
 * @param {Rung[]} rungs at least one
 * @param {number} current index of the rung that is playing
 * @param {number} throughput bits per second
 */
export function best(rungs, current, throughput) {
  const carried = rungs.filter(({ index, bitrate }) => bitrate <= throughput * (index > current ? TO_CLIMB : TO_STAY));
  if (carried.length > 0) return Math.max(...carried.map(({ index }) => index));
  return rungs.reduce((lightest, rung) => (rung.bitrate < lightest.bitrate ? rung : lightest)).index;
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
