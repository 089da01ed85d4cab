// What the watch page says of itself (CTA-5004-B): who asks, with each request, and how it does, by reports.

/** From one report to the next, where nothing else happens, in milliseconds. */
const EVERY_MS = 5_000;
/** Reports that a server did not take are not sent again, and after so many none is sent: it may not want them. */
const MAX_REFUSALS = 3;

const KEY = 'touchline.sid';

/**
 * What a report is made of.
 *
 * @typedef {object} State
 * @property {'starting' | 'playing' | 'rebuffering' | 'paused' | 'waiting' | 'ended'} doing
 * @property {number | null} startupMs from when it was told to play until it played
 * @property {number | null} latencyMs behind live
 * @property {number | null} throughputKbps
 * @property {number} stalledMs how long pictures have stood still, in all
 * @property {number} errors that there have been
 */

const STATES = { starting: 's', playing: 'p', rebuffering: 'r', paused: 'a', waiting: 'w', ended: 'e' };

/** The same as long as the tab is open, also when the page is loaded anew: who reloads is no other viewer. */
export function sessionId() {
  try {
    const kept = sessionStorage.getItem(KEY) ?? crypto.randomUUID();
    sessionStorage.setItem(KEY, kept);
    return kept;
  } catch {
    return randomId();
  }
}

/** By what is there on pages without TLS too. */
function randomId() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, '0')).join('');
}

/**
 * Says with a request who asks: in a header where that costs nothing, else in the query, as another origin would have to be asked for
 * leave for each URL.
 *
 * @param {XMLHttpRequest} request
 * @param {string} url
 * @param {string} id
 */
export function sign(request, url, id) {
  const target = new URL(url, location.href);
  const said = `sid="${id}",v=2`;
  if (target.origin === location.origin) {
    if (!request.readyState) request.open('GET', url, true);
    request.setRequestHeader('CMCD-Session', said);
  } else {
    target.search += `${target.search ? '&' : '?'}CMCD=${encodeURIComponent(said)}`;
    request.open('GET', target.href, true);
  }
}

/** Makes reports of what a player does, one line each. */
export class Reports {
  /** @type {State['doing'] | null} */ #doing = null;
  #sentAt = -Infinity;
  #toldStartup = false;
  #stalledMs = 0;
  #errors = 0;

  /** @param {string} id */
  constructor(id) {
    this.id = id;
  }

  /**
   * What there is to say now; null: nothing.
   *
   * @param {number} now milliseconds, of any clock that does not go back
   * @param {number} unixMs
   * @param {State} state
   */
  look(now, unixMs, state) {
    if (state.errors > this.#errors) return this.#line('e', now, unixMs, state, ['ec=("player")']);
    if (state.doing !== this.#doing) return this.#line('ps', now, unixMs, state);
    return now - this.#sentAt >= EVERY_MS ? this.#line('t', now, unixMs, state) : null;
  }

  /** The last word. @param {number} unixMs */
  leave(unixMs) {
    return `e=ps,sid="${this.id}",sta=q,ts=${Math.round(unixMs)},v=2`;
  }

  /** @param {'e' | 'ps' | 't'} event @param {number} now @param {number} unixMs @param {State} state @param {string[]} more */
  #line(event, now, unixMs, state, more = []) {
    const pairs = [`e=${event}`, `sid="${this.id}"`, `sta=${STATES[state.doing]}`, `ts=${Math.round(unixMs)}`, 'v=2', ...more];
    const add = (/** @type {string} */ name, /** @type {number | null} */ value) => {
      if (value !== null && value >= 0) pairs.push(`${name}=${Math.round(value)}`);
    };
    add('ltc', state.doing === 'playing' ? state.latencyMs : null);
    add('mtp', state.throughputKbps);
    if (!this.#toldStartup && state.startupMs !== null) {
      this.#toldStartup = true;
      add('msd', state.startupMs);
    }
    const starved = state.stalledMs - this.#stalledMs;
    if (starved >= 1) {
      pairs.push('bs');
      add('bsd', starved);
    }
    [this.#doing, this.#sentAt, this.#stalledMs, this.#errors] = [state.doing, now, state.stalledMs, state.errors];
    // Keys are sorted (CTA-5004 3.2).
    return pairs.sort().join(',');
  }
}

/** Sends reports of a channel to the server that the page is of. */
export class Reporter {
  #refusals = 0;
  #sending = false;

  /** @param {string} channel @param {Reports} reports */
  constructor(channel, reports) {
    this.url = `/cmcd/${encodeURIComponent(channel)}`;
    this.reports = reports;
    addEventListener('pagehide', () => {
      if (this.#refusals < MAX_REFUSALS) navigator.sendBeacon(this.url, new Blob([reports.leave(Date.now())], { type: 'application/cmcd' }));
    });
  }

  /** @param {State} state */
  look(state) {
    if (this.#sending || this.#refusals >= MAX_REFUSALS) return;
    const line = this.reports.look(performance.now(), Date.now(), state);
    if (line !== null) void this.#send(line);
  }

  /** @param {string} line */
  async #send(line) {
    this.#sending = true;
    try {
      const answer = await fetch(this.url, { method: 'POST', body: line, headers: { 'content-type': 'application/cmcd' } });
      // A channel that has ended takes none; the next programme does.
      this.#refusals = answer.ok || answer.status === 404 ? 0 : this.#refusals + 1;
    } catch {
      // A server that cannot be reached may be there again.
    } finally {
      this.#sending = false;
    }
  }
}
