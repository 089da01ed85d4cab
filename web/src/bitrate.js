// The bitrate as it really is: bytes received over the time they play.

/** Media time over which is averaged, in seconds: a few GOPs, so that keyframes do not show. */
const WINDOW_S = 8;

export class BitrateMeter {
  /** @type {Map<string, { bytes: number, seconds: number }[]>} */ #arrivals = new Map();

  /**
   * @param {string} track what the media belongs to: video and audio come apart
   * @param {number} bytes
   * @param {number} seconds that they play
   */
  add(track, bytes, seconds) {
    const arrivals = this.#arrivals.get(track) ?? [];
    arrivals.push({ bytes, seconds });
    while (total(arrivals, 'seconds') - (arrivals[0]?.seconds ?? 0) > WINDOW_S) arrivals.shift();
    this.#arrivals.set(track, arrivals);
  }

  /** Of all tracks together; null before anything has arrived. */
  bitsPerSecond() {
    if (this.#arrivals.size === 0) return null;
    return [...this.#arrivals.values()].reduce((sum, arrivals) => sum + (8 * total(arrivals, 'bytes')) / total(arrivals, 'seconds'), 0);
  }
}

/**
 * @param {{ bytes: number, seconds: number }[]} arrivals
 * @param {'bytes' | 'seconds'} what
 */
function total(arrivals, what) {
  return arrivals.reduce((sum, arrival) => sum + arrival[what], 0);
}
