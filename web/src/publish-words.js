// What the publish page says when something is in the way: what happened, and what to do about it.

/** @typedef {import('./broadcast.js').Failure} Failure */

/** @typedef {{ title: string, text: string }} Words */

/**
 * Why the browser gives this page nothing to send.
 *
 * @param {{ isSecureContext: boolean, location: { host: string, pathname: string } }} window
 * @returns {Words}
 */
export function unavailableWords({ isSecureContext, location: { host, pathname } }) {
  if (isSecureContext) return { title: 'This browser can’t publish', text: 'It has no camera access or no WebRTC. Any current browser will do.' };
  return {
    title: 'This page needs HTTPS',
    text: `Browsers give camera and screen to secure pages only, and http://${host} is none. Open the page by HTTPS (touchline serve --https), or on the server’s own machine as http://localhost:PORT${pathname}.`,
  };
}

/** The server takes no publishers from browsers. */
export const NO_WHIP = {
  title: 'This server takes no publishers from browsers',
  text: 'WebRTC is off, or this is not the server that publishers connect to. Start touchline serve with --webrtc, or publish by RTMP or SRT.',
};

/**
 * What the browser says when it is asked for camera, microphone or screen.
 *
 * @param {unknown} error
 * @param {'camera' | 'screen'} source
 * @returns {Words}
 */
export function captureWords(error, source) {
  const name = error instanceof Error || error instanceof DOMException ? error.name : '';
  switch (name) {
    case 'NotAllowedError':
      return source === 'screen'
        ? { title: 'No screen was shared', text: 'Choose a screen, window or tab in the browser’s dialog. If there was no dialog, allow screen sharing for this page, in the system’s settings as well.' }
        : { title: 'No permission for camera or microphone', text: 'Allow them for this page by the symbol in the address bar, then try again.' };
    case 'NotFoundError':
      return { title: 'There is no such device', text: 'No camera or microphone was found. Plug one in, choose another one, or send without sound.' };
    case 'OverconstrainedError':
      return { title: 'The chosen device is gone', text: 'It was unplugged, or can’t do this. Choose another one.' };
    case 'NotReadableError':
    case 'AbortError':
      return { title: 'The device can’t be used', text: 'Another program may have it. Close that program, then try again.' };
    default:
      return { title: 'Capturing failed', text: `The browser says: ${error instanceof Error ? error.message : error}` };
  }
}

/**
 * Why nothing is sent.
 *
 * @param {Failure} failure
 * @param {string} channel
 * @returns {Words}
 */
export function failureWords({ kind, status = 0, words = '' }, channel) {
  switch (kind) {
    case 'unreachable':
      return { title: 'The server can’t be reached', text: 'Check your network and whether the server runs.' };
    case 'blocked':
      return {
        title: 'No media gets through to the server',
        text: 'It answers by HTTP, but not by WebRTC: a firewall may block its port (8189, UDP and TCP), or the server is behind a NAT and needs [webrtc] announce.',
      };
    case 'lost':
      return { title: 'The connection was lost', text: 'Nothing gets through to the server right now.' };
    case 'ended':
      return { title: 'The server has ended the session', text: `Another encoder may have taken over ${channel}, or the server restarts.` };
    case 'refused':
      return refusalWords(status, words, channel);
  }
}

/**
 * @param {number} status
 * @param {string} words the server's
 * @param {string} channel
 * @returns {Words}
 */
function refusalWords(status, words, channel) {
  const says = (/** @type {string} */ fallback) => (words ? `The server says: ${words}.` : fallback);
  switch (status) {
    case 401:
      return { title: 'Wrong publish key', text: `The key of ${channel} is missing or not this one. Ask whoever runs the server.` };
    case 404:
      return NO_WHIP;
    case 406:
    case 422:
      return { title: 'The server knows none of this browser’s codecs', text: says('It takes H.264, HEVC or AV1, and Opus.') };
    case 409:
      return { title: `${channel} is taken`, text: 'Somebody publishes there already. Stop that encoder, or use another channel.' };
    case 503:
      return { title: 'The server takes no publisher right now', text: says('It is full, or restarts.') };
    default:
      return { title: `The server refused (${status})`, text: says('It gives no reason.') };
  }
}

/**
 * Why a track that was sent has ended.
 *
 * @param {'camera' | 'screen'} source
 * @returns {Words}
 */
export function endedWords(source) {
  return source === 'screen'
    ? { title: 'Sharing was stopped', text: 'The browser shares nothing any more. Press Go live to choose again.' }
    : { title: 'Camera or microphone is gone', text: 'It was unplugged, or its permission was taken back. Choose another one and go live again.' };
}
