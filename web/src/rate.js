// Which rendition the way from the server can carry.

/** Of the throughput, what the rendition that is playing may need, and what one above it. */
const TO_STAY = 0.9;
const TO_CLIMB = 0.7;
/** Between keyframes a rung is not left while more than this can be played, in seconds: until then more is learnt of the way. */
const LAST_S = 0.1;

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
 * Whether to leave what is being loaded for a lower rung. Between keyframes that shows: the picture stands still until the next
 * one, or for as long as it takes to load the segment anew. At a keyframe nothing is lost but the time that the lower rung's
 * takes. So only where staying would make the picture stand still for longer: until the end of the segment, or, as a keyframe
 * is several times as heavy as what follows, until it is there.
 *
 * @param {object} state
 * @param {boolean} state.begins whether what is being loaded begins with a keyframe
 * @param {number} state.buffer seconds that can be played without anything more arriving
 * @param {number} state.restBits of what is being loaded
 * @param {number} state.restSeconds that it plays
 * @param {number} state.followingSeconds of the segment after that
 * @param {number} state.segmentSeconds
 * @param {number} state.bitrate of the rung, bits per second
 * @param {number} state.lower bitrate of the rung to go to
 * @param {number} state.throughput bits per second
 */
export function mustLeave({ begins, buffer, restBits, restSeconds, followingSeconds, segmentSeconds, bitrate, lower, throughput }) {
  const rest = followingSeconds + restSeconds;
  const staying = (restBits + bitrate * followingSeconds) / throughput - rest - buffer;
  if (begins) {
    const late = Math.max(staying, restBits / throughput - buffer);
    return late > Math.max(0, (restBits * lower) / bitrate / throughput - buffer);
  }
  return buffer < LAST_S && staying > Math.max(rest, (lower * segmentSeconds) / throughput - buffer);
}
