// Which rendition hls.js loads next: in place of its own rate control, which suits whole segments.
//
// With parts that one learns too late: it measures once for all parts that it loads in a row, which on a slow way are those
// of a whole segment. And it goes to another rendition between any two parts. But only a keyframe can follow the last
// picture of another rendition, so that a part of the segment is loaded again and pictures are left out until its end.

import Hls from 'hls.js';

import { best, mustLeave } from './rate.js';
import { Throughput } from './throughput.js';

/** @typedef {import('hls.js').Level} Level */

/** How often a part that is loading is looked at, in milliseconds. */
const LOOK_MS = 50;
/** A page that looks this late has not been told either what came in meanwhile, in milliseconds. */
const BUSY_MS = 150;
/** Of the throughput, what is for the next segment at least. */
const LEAST_SHARE = 0.5;
/** A rendition in whose place there was a gap is left alone so long, in milliseconds: it is seldom back sooner. */
const AWAY_MS = 8_000;
/** So much may have come in without a browser having said so. */
const LEAST_BYTES = 1_500;

/** Implements `AbrComponentAPI` of hls.js. */
export class RateControl {
  /** The rendition that the viewer has chosen: its index, null leaves it to the throughput. */
  /** @type {number | null} */ fixed = null;
  #hls;
  #throughput = new Throughput();
  /** What was loaded last, and what is being loaded. */
  /** @type {import('hls.js').FragLoadedData | null} */ #last = null;
  /** @type {{ frag: import('hls.js').Fragment, part: import('hls.js').Part | null } | null} */ #loading = null;
  /** Where it goes after it has left in the middle of something: nothing has come in since to decide by. */
  /** @type {number | null} */ #refuge = null;
  /** Until when renditions are left alone, by index. */
  /** @type {Map<number, number>} */ #away = new Map();
  #timer;
  #lookedAt = performance.now();

  /** @param {Hls} hls */
  constructor(hls) {
    this.#hls = hls;
    hls.on(Hls.Events.FRAG_LOADING, this.#onLoading, this);
    hls.on(Hls.Events.FRAG_LOADED, this.#onLoaded, this);
    hls.on(Hls.Events.ERROR, this.#onError, this);
    this.#timer = setInterval(() => this.#look(), LOOK_MS);
  }

  destroy() {
    clearInterval(this.#timer);
    this.#hls.off(Hls.Events.FRAG_LOADING, this.#onLoading, this);
    this.#hls.off(Hls.Events.FRAG_LOADED, this.#onLoaded, this);
    this.#hls.off(Hls.Events.ERROR, this.#onError, this);
  }

  /** The server lists first what a player should begin with. */
  get firstAutoLevel() {
    return this.fixed ?? this.#hls.firstLevel;
  }

  /** What the next part is loaded of. */
  get nextAutoLevel() {
    const { loadLevel } = this.#hls;
    if (this.#last === null || loadLevel < 0) return this.firstAutoLevel;
    // There is nothing to stay for, whatever the viewer has chosen.
    if (this.#isAway(loadLevel)) return best(this.#rungs(), loadLevel, this.throughput ?? 0);
    // hls.js asks more than once on its way there. Were the answer the one from before, it would turn back, load what
    // crawls again from its beginning, and leave again.
    if (this.#refuge !== null && !this.#isAway(this.#refuge)) return this.#refuge;
    if (!this.#atKeyframe(this.#last)) return loadLevel;
    if (this.fixed !== null && !this.#isAway(this.fixed)) return this.fixed;
    return this.throughput === null ? loadLevel : best(this.#rungs(), loadLevel, this.#carried(this.#last));
  }

  /** hls.js tells back what it was told, and where it goes after an error, which it has by then done. */
  set nextAutoLevel(_) {}

  get forcedAutoLevel() {
    return -1;
  }

  /** There is nothing to assume before something has come in. */
  resetEstimator() {}

  /** Bits per second; null before anything has come in. */
  get throughput() {
    return this.#throughput.bitsPerSecond();
  }

  /** @param {string} _ @param {import('hls.js').FragLoadingData} loading */
  #onLoading(_, { frag, part }) {
    if (isPicture(frag)) this.#loading = { frag, part: part ?? null };
  }

  /** @param {string} _ @param {import('hls.js').FragLoadedData} loaded */
  #onLoaded(_, loaded) {
    const { frag, part } = loaded;
    if (!isPicture(frag)) return;
    const { loading, loaded: bytes } = (part ?? frag).stats;
    const [answerMs, totalMs] = [loading.first - loading.start, loading.end - loading.start];
    this.#throughput.add({ bytes, seconds: (part ?? frag).duration, answerMs, totalMs });
    this.#last = loaded;
    this.#refuge = null;
    // hls.js goes on with the next part of the segment by itself where there is one, and says nothing of it.
    const next = part && this.#after(frag, part);
    this.#loading = next ? { frag, part: next } : null;
    // By then it is under way.
    if (next?.independent) queueMicrotask(() => this.#reconsider(loaded, next));
  }

  /**
   * Goes down at a keyframe within a segment, where hls.js does not ask.
   *
   * @param {import('hls.js').FragLoadedData} loaded what came in last
   * @param {import('hls.js').Part} next
   */
  #reconsider(loaded, next) {
    const { frag } = loaded;
    if (this.#loading?.part !== next || this.fixed !== null || this.throughput === null) return;
    const to = best(this.#rungs(), frag.level, this.#carried(loaded));
    if (this.#bitrate(to) < this.#bitrate(frag.level)) this.#leave(frag, to);
  }

  /** @param {string} _ @param {import('hls.js').ErrorData} error */
  #onError(_, { details, frag }) {
    if (details === Hls.ErrorDetails.FRAG_GAP && frag && isPicture(frag)) this.#away.set(frag.level, performance.now() + AWAY_MS);
  }

  /** @param {number} level */
  #isAway(level) {
    return (this.#away.get(level) ?? 0) > performance.now();
  }

  /** Leaves the rendition before its next keyframe when the way has become too bad for what is left until then. */
  #look() {
    const now = performance.now();
    const busy = now - this.#lookedAt > BUSY_MS;
    this.#lookedAt = now;
    if (busy || !this.#loading || this.fixed !== null || this.#last === null) return;
    const { frag, part } = this.#loading;
    const media = part ?? frag;
    const level = this.#hls.levels[frag.level];
    const { loading, loaded, total } = media.stats;
    if (!level || loading.start === 0 || loading.end > 0) return;
    const restBits = 8 * (total || (level.bitrate * media.duration) / 8) - 8 * loaded;
    const tookMs = this.#throughput.onTheWay(now - loading.start);
    // What takes longer to come in than it plays tells more than all before.
    const crawls = tookMs > 1000 * media.duration;
    const throughput = Math.min(this.throughput ?? Infinity, crawls ? (8 * Math.max(loaded, LEAST_BYTES)) / (tookMs / 1000) : Infinity);
    const to = best(this.#rungs(), frag.level, throughput);
    const segmentSeconds = this.#segmentSeconds(frag);
    const followingSeconds = Math.max(0, frag.start + segmentSeconds - media.end);
    const lower = this.#bitrate(to);
    const begins = part === null || part.index === 0 || part.independent;
    const state = { begins, buffer: this.#buffer(), restBits, restSeconds: media.duration, followingSeconds, segmentSeconds, bitrate: level.averageBitrate, lower, throughput };
    if (lower >= level.bitrate || !mustLeave(state)) return;
    // What did not come in counts too: the next rendition is chosen by it.
    this.#throughput.addUnfinished({ bytes: Math.max(loaded, LEAST_BYTES), seconds: media.duration, sinceRequestMs: now - loading.start });
    this.#leave(frag, to);
  }

  /** @param {import('hls.js').Fragment} frag @param {number} to */
  #leave(frag, to) {
    this.#loading = null;
    this.#refuge = to;
    this.#hls.nextLoadLevel = to;
    frag.abortRequests();
  }

  /**
   * What there is for the next segment: of the throughput, what is left when the buffer is filled up again meanwhile.
   *
   * @param {import('hls.js').FragLoadedData} loaded
   */
  #carried({ frag }) {
    const missing = Math.max(0, (this.#hls.targetLatency ?? 0) - this.#buffer());
    return (this.throughput ?? 0) * Math.max(1 - missing / this.#segmentSeconds(frag), LEAST_SHARE);
  }

  /** @param {number} level */
  #bitrate(level) {
    return this.#hls.levels[level]?.bitrate ?? Infinity;
  }

  /** What a whole segment lasts: the one at the live edge does not say yet. @param {import('hls.js').Fragment} frag */
  #segmentSeconds(frag) {
    return this.#hls.levels[frag.level]?.details?.averagetargetduration || frag.duration;
  }

  /** Seconds that can be played without anything more arriving. */
  #buffer() {
    return this.#hls.mainForwardBufferInfo?.len ?? 0;
  }

  /** @returns {import('./rate.js').Rung[]} the renditions that can follow each other */
  #rungs() {
    const { levels, loadLevel, minAutoLevel, maxAutoLevel } = this.#hls;
    const like = levels[loadLevel];
    const all = levels
      .map((level, index) => ({ level, index, bitrate: level.bitrate }))
      .filter(({ index }) => index >= minAutoLevel && index <= maxAutoLevel)
      .filter(({ level }) => level === like || (level.codecSet === like?.codecSet && level.videoRange === like.videoRange && works(level)));
    const there = all.filter(({ index }) => !this.#isAway(index));
    return there.length > 0 ? there : all;
  }

  /** @param {import('hls.js').FragLoadedData} loaded whether a keyframe comes after it */
  #atKeyframe({ frag, part }) {
    const details = this.#hls.levels[frag.level]?.details;
    if (!part || !details) return true;
    const next = this.#after(frag, part);
    return next ? next.independent : Number(frag.sn) <= details.endSN;
  }

  /**
   * The next part of the same segment, where it is listed.
   *
   * @param {import('hls.js').Fragment} frag
   * @param {import('hls.js').Part} part
   */
  #after(frag, part) {
    const parts = this.#hls.levels[frag.level]?.details?.partList;
    return parts?.find(({ fragment, index }) => fragment.sn === frag.sn && index === part.index + 1) ?? null;
  }
}

/** Pictures, and not the sound that is loaded beside them or what comes before both. @param {import('hls.js').Fragment} frag */
function isPicture(frag) {
  return frag.type === 'main' && frag.sn !== 'initSegment';
}

/** @param {Level} level */
function works({ loadError, fragmentError }) {
  return loadError === 0 && fragmentError === 0;
}
