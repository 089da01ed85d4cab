// What a video has buffered.

/** A position this far before a range still belongs to it, in seconds: players skip such holes. */
const HOLE_S = 0.1;

/**
 * Seconds that can be played without anything more arriving.
 *
 * @param {Pick<HTMLVideoElement, 'buffered' | 'currentTime'>} video
 */
export function bufferAhead({ buffered, currentTime }) {
  for (let range = 0; range < buffered.length; range += 1) {
    if (buffered.start(range) <= currentTime + HOLE_S && buffered.end(range) > currentTime) return buffered.end(range) - currentTime;
  }
  return 0;
}
