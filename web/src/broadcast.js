// One evening on air: connect, send until that breaks for whatever reason, and again, until somebody presses stop.

import { Connection } from './connection.js';
import { Refusal } from './whip.js';

/**
 * Why nothing is sent.
 *
 * @typedef {object} Failure
 * @property {'refused' | 'unreachable' | 'blocked' | 'lost' | 'ended'} kind
 * @property {number} [status] of the server's answer
 * @property {string} [words] the server's
 */

/**
 * What is sent, and how.
 *
 * @typedef {object} Programme
 * @property {MediaStream} media
 * @property {number} bitrate bits per second, of the pictures
 * @property {number} frameRate frames per second
 */

/** The first pause before it is tried again, in milliseconds; each one after it is twice as long... */
const FIRST_PAUSE_MS = 1_000;
/** ...up to this. */
const LONGEST_PAUSE_MS = 15_000;
/** Pauses differ by so much of them: all who lost the server are not to come back in step. */
const JITTER = 0.3;
/** Who has been on air for this long begins with the first pause again, in milliseconds. */
const STEADY_MS = 30_000;
/** A session that the server ends twice within this is not taken up again: somebody else has the channel. */
const WRESTLING_MS = 60_000;

export class Broadcast extends EventTarget {
  /** @type {'connecting' | 'live' | 'waiting' | 'over'} */ phase = 'connecting';
  /** Why it is not live, once it has failed. @type {Failure | null} */ failure = null;
  /** When it is tried again, in milliseconds of performance.now(). */ retryAt = 0;
  /** How the feed arrives. @type {import('./feed-health.js').Report | null} */ report = null;
  /** Connections begun. */ starts = 0;

  #endpoint;
  #key;
  #programme;
  /** @type {Connection | null} */ #connection = null;
  #hasBeenLive = false;
  #stopped = new AbortController();

  /**
   * @param {string} endpoint
   * @param {string} key which may be empty
   * @param {Programme} programme
   */
  constructor(endpoint, key, programme) {
    super();
    this.#endpoint = endpoint;
    this.#key = key;
    this.#programme = programme;
  }

  /** Runs until it is stopped, or refused for good. */
  async run() {
    let [failures, endedAt] = [0, -Infinity];
    while (!this.#stopped.signal.aborted) {
      this.#become('connecting');
      const liveFor = await this.#attempt();
      if (this.#stopped.signal.aborted || !this.failure) break;
      const wrestling = this.failure.kind === 'ended' && performance.now() - endedAt < WRESTLING_MS;
      if (this.failure.kind === 'ended') endedAt = performance.now();
      if (wrestling || isFinal(this.failure, this.#hasBeenLive)) break;
      failures = liveFor > STEADY_MS ? 1 : failures + 1;
      const pause = pauseAfter(failures, Math.random());
      this.retryAt = performance.now() + pause;
      this.#become('waiting');
      await sleep(pause, this.#stopped.signal);
    }
    this.#become('over');
  }

  /** Takes leave. Nothing is heard of it afterwards. */
  stop() {
    this.failure = null;
    this.#stopped.abort();
    this.#connection?.close();
  }

  /**
   * Sends something else from now on, or the same otherwise.
   *
   * @param {Programme} programme
   */
  async change(programme) {
    this.#programme = programme;
    await this.#connection?.change(programme);
  }

  /** One connection from beginning to end; for how long it was live, in milliseconds. */
  async #attempt() {
    let since = Infinity;
    this.starts += 1;
    try {
      this.#connection = new Connection(this.#endpoint, this.#key, this.#programme);
      this.#connection.addEventListener('report', () => {
        this.report = this.#connection?.report ?? null;
        this.dispatchEvent(new Event('change'));
      });
      await this.#connection.open();
      since = performance.now();
      this.#hasBeenLive = true;
      this.failure = null;
      this.#become('live');
      this.failure = await this.#connection.broken;
    } catch (error) {
      this.failure = failureOf(error);
    } finally {
      this.#connection?.close();
      this.#connection = null;
      this.report = null;
    }
    return Math.max(0, performance.now() - since);
  }

  /** @param {typeof this.phase} phase */
  #become(phase) {
    this.phase = phase;
    this.dispatchEvent(new Event('change'));
  }
}

/**
 * What no second try changes. Who was live already may find the own session still there, which the server has not given up yet.
 *
 * @param {Failure} failure
 * @param {boolean} hasBeenLive
 */
export function isFinal({ kind, status = 0 }, hasBeenLive) {
  if (kind === 'blocked') return !hasBeenLive;
  if (kind !== 'refused') return false;
  if (status === 409) return !hasBeenLive;
  return status < 500 && status !== 408 && status !== 429;
}

/**
 * How long to wait after so many failures in a row, in milliseconds.
 *
 * @param {number} failures one at least
 * @param {number} random from 0 to 1
 */
export function pauseAfter(failures, random) {
  const pause = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** (failures - 1));
  return pause * (1 + JITTER * (2 * random - 1));
}

/**
 * @param {unknown} error
 * @returns {Failure}
 */
function failureOf(error) {
  if (!(error instanceof Refusal)) return { kind: 'blocked', words: error instanceof Error ? error.message : String(error) };
  const { status, words } = error;
  return status === 0 ? { kind: 'unreachable' } : { kind: 'refused', status, words };
}

/**
 * @param {number} ms
 * @param {AbortSignal} signal which ends it early
 */
function sleep(ms, signal) {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener('abort', () => {
      clearTimeout(timer);
      resolve(undefined);
    });
  });
}
