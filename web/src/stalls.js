// Stalls as a viewer sees them: the picture stands still although it should not.

/** A picture that stands still for less is not noticed, in milliseconds. */
const NOTICED_MS = 150;

export class StallMeter {
  count = 0;
  totalMs = 0;
  #position = -1;
  #movedAt = 0;
  #stalled = false;

  /**
   * @param {number} now milliseconds
   * @param {number} position of the video, in seconds
   * @param {boolean} expected whether the picture should move: started, not paused, not over
   */
  sample(now, position, expected) {
    if (position !== this.#position || !expected) {
      if (this.#stalled) this.totalMs += now - this.#movedAt;
      this.#stalled = false;
      this.#position = position;
      this.#movedAt = now;
    } else if (!this.#stalled && now - this.#movedAt > NOTICED_MS) {
      this.#stalled = true;
      this.count += 1;
    }
  }

  /**
   * How long the picture has been standing still, in milliseconds; 0 while it moves.
   *
   * @param {number} now milliseconds
   */
  standingStill(now) {
    return this.#stalled ? now - this.#movedAt : 0;
  }
}
