// How far behind live the picture is.

/** A viewer's clock that is off by more than this, in seconds, says nothing about latency. */
const PLAUSIBLE_S = 3_600;

/**
 * Seconds from the instant the server received a frame (EXT-X-PROGRAM-DATE-TIME) to now, when it is on the screen.
 *
 * Where that can't be told, because the playlist has no dates or the viewer's clock is wrong, the distance to the end of
 * the playlist, which leaves out the way to the server and the making of the part.
 *
 * @param {number} now Unix milliseconds
 * @param {number | null} programDate Unix milliseconds of the frame on the screen
 * @param {number | null} edgeLatency seconds to the end of the playlist
 */
export function behindLive(now, programDate, edgeLatency) {
  const seconds = programDate === null ? NaN : (now - programDate) / 1000;
  return seconds >= 0 && seconds < PLAUSIBLE_S ? seconds : edgeLatency;
}
