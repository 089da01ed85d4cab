// One viewer's evening with one channel: wait until it is live, play until that ends for whatever reason, and again.

import { play as playHls, supported as hlsSupported } from './hls-player.js';
import { play as playNative, supported as nativeSupported } from './native-player.js';
import { probe } from './probe.js';

/**
 * How a playback ended: the channel is not there, it ended in an orderly way, or the player could not go on.
 *
 * @typedef {{ kind: 'absent' } | { kind: 'ended' } | { kind: 'failed', reason: string }} Outcome
 */

/**
 * A running playback. `done` settles when it is over; `abandon` ends it from outside.
 *
 * @typedef {object} Playback
 * @property {Promise<Outcome>} done
 * @property {(reason: string) => void} abandon
 * @property {() => import('./stats.js').Readings} readings
 * @property {() => number} lastMediaAt when media last arrived, in milliseconds of performance.now()
 * @property {() => void} seekToLive
 * @property {(name: string | null) => void} choose fixes a rendition; null, or one that is not there, leaves it to the player
 */

/** While waiting, a channel is asked for about this often... */
const POLL_MS = 500;
/** ...but not in step with all the others who wait. */
const JITTER = 0.3;
/** An answer that has not come by then will not, in milliseconds. */
const PROBE_TIMEOUT_MS = 10_000;

/**
 * What a session is doing. `played` tells whether anything has been played before.
 *
 * @typedef {'connecting' | 'playing' | 'absent' | 'ended' | 'unreachable' | 'failed' | 'unsupported'} Phase
 */

export class Session {
  /** @type {Phase} */ phase = 'connecting';
  /** Playbacks begun, the first included. */
  starts = 0;
  /** Why playbacks broke down, newest last. */
  /** @type {string[]} */ failures = [];
  /** @type {Playback | null} */ playback = null;
  /** The rendition that the viewer has chosen, by its name; null leaves it to the player. It outlives playbacks. */
  /** @type {string | null} */ choice = null;

  /**
   * @param {HTMLVideoElement} video
   * @param {string} url of the multivariant playlist
   * @param {string} id of this viewer
   */
  constructor(video, url, id) {
    this.video = video;
    this.url = url;
    this.id = id;
  }

  /** Runs for as long as the page lives. */
  async run() {
    const play = hlsSupported() ? playHls : nativeSupported(this.video) ? playNative : null;
    if (!play) {
      this.phase = 'unsupported';
      return;
    }
    for (;;) {
      this.starts += 1;
      this.playback = play(this.video, this.url, this.id);
      this.playback.choose(this.choice);
      const outcome = await this.playback.done;
      this.playback = null;
      this.phase = this.#phaseAfter(outcome);
      await this.#untilLive();
      this.phase = 'connecting';
    }
  }

  /** @param {string | null} name of a rendition; null leaves it to the player */
  choose(name) {
    this.choice = name;
    this.playback?.choose(name);
  }

  /** Something has been seen on the screen. */
  playing() {
    this.phase = 'playing';
  }

  /**
   * A channel that vanishes from under a viewer has ended.
   *
   * @param {Outcome} outcome
   * @returns {Phase}
   */
  #phaseAfter(outcome) {
    if (outcome.kind === 'failed') {
      this.failures.push(outcome.reason);
      return 'failed';
    }
    return outcome.kind === 'absent' && this.phase === 'playing' ? 'ended' : outcome.kind;
  }

  async #untilLive() {
    for (;;) {
      await new Promise((resolve) => setTimeout(resolve, POLL_MS * (1 + JITTER * (2 * Math.random() - 1))));
      const finding = await probe(this.url, AbortSignal.timeout(PROBE_TIMEOUT_MS));
      if (finding === 'live') return;
      // "Has ended" says more than "is not there" once the programme has been seen.
      if (finding === 'absent' && this.phase === 'ended') continue;
      this.phase = finding;
    }
  }
}
