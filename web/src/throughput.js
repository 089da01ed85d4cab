// How much the way from the server carries, told by the parts that come in.
//
// A part that is live is small and is there at once or, on a slow way, takes about as long as it plays. So a part counts by
// the time that it plays, not by the time that it took (the many that took nothing would say nothing once the way is fast
// again), and what is averaged is time per bit, not bits per time (one that took nothing would hide the ten that crawl).

/** What the estimate forgets half of: quickly when the way gets worse, slowly when it gets better, in seconds of media. */
const WORSE_HALF_LIFE_S = 0.3;
const BETTER_HALF_LIFE_S = 2;
/** Nothing comes in less, as far as a browser can tell, in milliseconds: an estimate is at most some twenty times the media's rate. */
const SHORTEST_MS = 10;
/** The quickest answer among so many requests is the way there and back; what another one waits longer, it waits for the line. */
const ANSWERS = 32;

export class Throughput {
  #quick = new Average(WORSE_HALF_LIFE_S);
  #slow = new Average(BETTER_HALF_LIFE_S);
  /** @type {number[]} milliseconds from request to first byte, of the last requests */
  #answers = [];

  /**
   * @param {object} part that has come in
   * @param {number} part.bytes
   * @param {number} part.seconds that it plays
   * @param {number} part.answerMs from the request to the first byte
   * @param {number} part.totalMs from the request to the last byte
   */
  add({ bytes, seconds, answerMs, totalMs }) {
    if (!(bytes > 0 && seconds > 0)) return;
    this.#answers.push(answerMs);
    if (this.#answers.length > ANSWERS) this.#answers.shift();
    this.#count(bytes, seconds, totalMs);
  }

  /**
   * @param {object} part that was given up
   * @param {number} part.bytes that came in of it
   * @param {number} part.seconds that it plays
   * @param {number} part.sinceRequestMs
   */
  addUnfinished({ bytes, seconds, sinceRequestMs }) {
    if (bytes > 0 && seconds > 0) this.#count(bytes, seconds, sinceRequestMs);
  }

  /** @param {number} bytes @param {number} seconds @param {number} sinceRequestMs */
  #count(bytes, seconds, sinceRequestMs) {
    const perBit = this.onTheWay(sinceRequestMs) / 1000 / (8 * bytes);
    this.#quick.add(seconds, perBit);
    this.#slow.add(seconds, perBit);
  }

  /**
   * Of the time since a request, what its bytes took, in milliseconds.
   *
   * @param {number} sinceRequestMs
   */
  onTheWay(sinceRequestMs) {
    return Math.max(SHORTEST_MS, sinceRequestMs - Math.min(...this.#answers, sinceRequestMs));
  }

  /** Null before anything has come in. */
  bitsPerSecond() {
    const perBit = Math.max(this.#quick.value(), this.#slow.value());
    return perBit > 0 ? 1 / perBit : null;
  }
}

/** An average that forgets. */
class Average {
  #sum = 0;
  #weight = 0;
  #halfLife;

  /** @param {number} halfLife in units of weight */
  constructor(halfLife) {
    this.#halfLife = halfLife;
  }

  /**
   * @param {number} weight
   * @param {number} value
   */
  add(weight, value) {
    const kept = 0.5 ** (weight / this.#halfLife);
    this.#sum = kept * this.#sum + (1 - kept) * value;
    this.#weight = kept * this.#weight + (1 - kept);
  }

  /** 0 before anything has been added. */
  value() {
    return this.#weight > 0 ? this.#sum / this.#weight : 0;
  }
}
