// WHIP (RFC 9725): the HTTP side of publishing. What the browser sends, and when, is for broadcast.js to say.

/** No answer within this is none, in milliseconds: the server asks for up to 20 s who may publish. */
const ANSWER_MS = 25_000;
const SDP = 'application/sdp';
const FRAGMENT = 'application/trickle-ice-sdpfrag';

/** The server has said no. */
export class Refusal extends Error {
  /**
   * @param {number} status of the answer; 0: there was none
   * @param {string} words of the server's, which may be none
   */
  constructor(status, words) {
    super(words || `the server answered ${status}`);
    this.status = status;
    this.words = words;
  }
}

/** What is being published, as the server knows it. */
export class Session {
  #endpoint;
  #key;
  #url;
  #health;

  /**
   * @param {string} endpoint
   * @param {string} key
   * @param {Response} response
   * @param {string} answer SDP
   */
  constructor(endpoint, key, response, answer) {
    this.#endpoint = new URL(endpoint, location.href);
    this.#key = key;
    this.answer = answer;
    this.#url = new URL(response.headers.get('Location') ?? '', this.#endpoint);
    const links = linksOf(response.headers.get('Link') ?? '');
    this.#health = links.find(({ rel }) => rel === 'status')?.target ?? null;
    /** STUN and TURN servers to use (RFC 9725 4.6). @type {RTCIceServer[]} */
    this.iceServers = links
      .filter(({ rel }) => rel === 'ice-server')
      .map(({ target, username, credential }) => (username ? { urls: target, username, credential } : { urls: target }));
  }

  /**
   * Exchanges ICE credentials after the network has changed.
   *
   * @param {string} fragment
   * @returns {Promise<string>} the server's fragment
   */
  async restart(fragment) {
    // RFC 9725 4.3.3: whatever the ICE session was before.
    const headers = { 'Content-Type': FRAGMENT, 'If-Match': '*' };
    const response = await ask(this.#url, this.#key, { method: 'PATCH', headers, body: fragment });
    return response.text();
  }

  /**
   * How the feed arrives.
   *
   * @returns {Promise<import('./feed-health.js').Report | null>} null: this server does not tell
   */
  async health() {
    if (!this.#health) return null;
    const response = await ask(new URL(this.#health, this.#url), this.#key, { cache: 'no-store' });
    return response.json();
  }

  /** Takes leave, also while the page goes away; that it is not heard does no harm. */
  leave() {
    ask(this.#url, this.#key, { method: 'DELETE', keepalive: true }).catch(() => {});
  }
}

/**
 * Whether the server takes publishers by WHIP at all.
 *
 * @param {string} endpoint
 */
export async function supported(endpoint) {
  const response = await fetch(endpoint, { method: 'OPTIONS' });
  return response.headers.get('Accept-Post')?.includes(SDP) ?? false;
}

/**
 * Asks to publish.
 *
 * @param {string} endpoint
 * @param {string} key which may be empty
 * @param {string} offer SDP
 * @returns {Promise<Session>}
 */
export async function publish(endpoint, key, offer) {
  const response = await ask(endpoint, key, { method: 'POST', headers: { 'Content-Type': SDP }, body: offer });
  return new Session(endpoint, key, response, await response.text());
}

/**
 * @param {string | URL} url
 * @param {string} key
 * @param {RequestInit} init
 */
async function ask(url, key, init) {
  const headers = new Headers(init.headers);
  if (key) headers.set('Authorization', `Bearer ${key}`);
  let response;
  try {
    response = await fetch(url, { ...init, headers, signal: AbortSignal.timeout(ANSWER_MS) });
  } catch {
    throw new Refusal(0, '');
  }
  if (!response.ok) throw new Refusal(response.status, await wordsOf(response));
  return response;
}

/** @param {Response} response an error, as RFC 9457 has it or as a proxy in between does */
async function wordsOf(response) {
  try {
    const { detail } = await response.json();
    return typeof detail === 'string' ? detail : '';
  } catch {
    return '';
  }
}

/**
 * The links in a header (RFC 8288 3), those of one relation each.
 *
 * @param {string} header
 * @returns {{ target: string, rel?: string, username?: string, credential?: string }[]}
 */
export function linksOf(header) {
  const link = /<([^>]*)>((?:\s*;\s*[\w-]+\s*=\s*(?:"(?:[^"\\]|\\.)*"|[^\s;,"]*))*)/g;
  const attribute = /([\w-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s;,"]*))/g;
  return [...header.matchAll(link)].map(([, target = '', attributes = '']) => {
    const pairs = [...attributes.matchAll(attribute)].map(([, name = '', quoted, plain]) => [
      name.toLowerCase(),
      quoted?.replace(/\\(.)/g, '$1') ?? plain,
    ]);
    return { ...Object.fromEntries(pairs), target };
  });
}
