// One WebRTC connection to the server, from the offer until it breaks.

import { fragment, preferred, withIce } from './sdp.js';
import * as whip from './whip.js';

/** @typedef {import('./broadcast.js').Failure} Failure */
/** @typedef {import('./broadcast.js').Programme} Programme */

/** Media that has found no way to the server by then finds none: the server waits as long, in milliseconds. */
const CONNECT_MS = 10_000;
/** A way that is silent may come back by itself; after this another one is looked for, in milliseconds. */
const SILENT_MS = 2_500;
/** How often the server is asked how the feed arrives, in milliseconds. */
const HEALTH_MS = 1_000;
/** Of sound, in bits per second. */
const SOUND_BITRATE = 128_000;

export class Connection extends EventTarget {
  /** How the feed arrives. @type {import('./feed-health.js').Report | null} */ report = null;
  /** Settles when nothing is sent any more. @type {Promise<Failure>} */ broken;

  #endpoint;
  #key;
  #programme;
  #peer = new RTCPeerConnection({ bundlePolicy: 'max-bundle' });
  /** @type {whip.Session | null} */ #session = null;
  /** @type {(failure: Failure) => void} */ #breaks = () => {};
  /** @type {ReturnType<typeof setTimeout> | undefined} */ #silent;
  /** @type {ReturnType<typeof setInterval> | undefined} */ #polling;
  #rerouting = false;
  #closed = new AbortController();

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
    this.broken = new Promise((resolve) => (this.#breaks = resolve));
  }

  /** Settles when media flows; fails with a {@link whip.Refusal}, or with what the browser says. */
  async open() {
    const { media } = this.#programme;
    for (const track of media.getTracks()) {
      const transceiver = this.#peer.addTransceiver(track, { direction: 'sendonly', streams: [media] });
      if (track.kind === 'video') transceiver.setCodecPreferences?.(preferred(RTCRtpSender.getCapabilities('video')?.codecs ?? []));
    }
    const offer = await this.#peer.createOffer();
    const session = await whip.publish(this.#endpoint, this.#key, offer.sdp ?? '');
    this.#session = session;
    // It was closed while the server thought about it.
    if (this.#closed.signal.aborted) {
      session.leave();
      throw new Error('closed');
    }
    // RFC 9725 4.6: before the local description is set, so that gathering knows of them.
    if (session.iceServers.length > 0) this.#peer.setConfiguration({ ...this.#peer.getConfiguration(), iceServers: session.iceServers });
    await this.#peer.setLocalDescription(offer);
    await this.#peer.setRemoteDescription({ type: 'answer', sdp: session.answer });
    await this.#encodeAs(this.#programme);
    await this.#connected(CONNECT_MS);
    this.#watch();
  }

  /** Takes leave. */
  close() {
    this.#closed.abort();
    clearTimeout(this.#silent);
    clearInterval(this.#polling);
    this.#session?.leave();
    this.#session = null;
    this.#peer.close();
    this.#breaks({ kind: 'lost' });
  }

  /**
   * Sends something else in place of what was sent. A kind of media that was not there needs another connection.
   *
   * @param {Programme} programme
   */
  async change(programme) {
    this.#programme = programme;
    const tracks = programme.media.getTracks();
    const places = this.#peer.getTransceivers();
    const kindOf = (/** @type {RTCRtpTransceiver} */ place) => place.receiver.track.kind;
    if (tracks.some(({ kind }) => !places.some((place) => kindOf(place) === kind))) return this.#breaks({ kind: 'lost' });
    for (const place of places) {
      const track = tracks.find(({ kind }) => kind === kindOf(place)) ?? null;
      if (place.sender.track !== track) await place.sender.replaceTrack(track);
    }
    await this.#encodeAs(programme);
  }

  /** @param {Programme} programme */
  async #encodeAs({ bitrate, frameRate }) {
    for (const sender of this.#peer.getSenders()) {
      const parameters = sender.getParameters();
      const video = sender.track?.kind === 'video';
      for (const encoding of parameters.encodings) Object.assign(encoding, video ? { maxBitrate: bitrate, maxFramerate: frameRate } : { maxBitrate: SOUND_BITRATE });
      // A picture that changes its size makes a new beginning for every viewer.
      if (video) Object.assign(parameters, { degradationPreference: 'maintain-resolution' });
      await sender.setParameters(parameters);
    }
  }

  /**
   * Settles when media can flow.
   *
   * @param {number} patience milliseconds
   */
  #connected(patience) {
    const peer = this.#peer;
    return new Promise((resolve, reject) => {
      const done = new AbortController();
      const settle = (/** @type {() => void} */ how) => {
        done.abort();
        clearTimeout(timer);
        how();
      };
      const look = () => {
        if (peer.connectionState === 'connected') settle(() => resolve(undefined));
      };
      const fail = () => settle(() => reject(new Error('no media reaches the server')));
      const timer = setTimeout(fail, patience);
      peer.addEventListener('connectionstatechange', () => (peer.connectionState === 'failed' ? fail() : look()), { signal: done.signal });
      this.#closed.signal.addEventListener('abort', fail, { signal: done.signal });
      look();
    });
  }

  /** Sees to it that media goes on, and tells if it does not. */
  #watch() {
    const { signal } = this.#closed;
    const look = () => {
      clearTimeout(this.#silent);
      if (this.#peer.connectionState === 'failed') this.#reroute();
      if (this.#peer.connectionState === 'disconnected') this.#silent = setTimeout(() => this.#reroute(), SILENT_MS);
    };
    this.#peer.addEventListener('connectionstatechange', look, { signal });
    this.#polling = setInterval(() => this.#askHealth(), HEALTH_MS);
    look();
  }

  /** The network has changed, or the server is gone: another way with the same session (RFC 9725 4.3.3), or none. */
  async #reroute() {
    const session = this.#session;
    if (!session || this.#rerouting) return;
    this.#rerouting = true;
    try {
      this.#peer.restartIce();
      const offer = await this.#peer.createOffer();
      const answer = withIce(session.answer, await session.restart(fragment(offer.sdp ?? '')));
      await this.#peer.setLocalDescription(offer);
      await this.#peer.setRemoteDescription({ type: 'answer', sdp: answer });
      session.answer = answer;
      await this.#connected(CONNECT_MS);
    } catch {
      this.#breaks({ kind: 'lost' });
    } finally {
      this.#rerouting = false;
    }
  }

  async #askHealth() {
    try {
      this.report = (await this.#session?.health()) ?? null;
    } catch (error) {
      this.report = null;
      // The server has ended it. Without an answer the media itself shows whether it is there.
      if (error instanceof whip.Refusal && error.status === 404) this.#breaks({ kind: 'ended' });
    }
    this.dispatchEvent(new Event('report'));
  }
}
