// A channel as /channels.json lists it, and as a page's address names it.

/**
 * @typedef {object} Channel
 * @property {string} name
 * @property {string} [since] when it went live, RFC 3339
 * @property {number} [width] pixels
 * @property {number} [height] pixels
 * @property {number} [frame_rate] frames per second
 * @property {string[]} [codecs] RFC 6381
 * @property {string | null} [thumbnail] path of a JPEG
 */

/**
 * The channel of a page: `/watch/main` and `/publish/main` are of `main`.
 *
 * @param {string} pathname
 */
export function channelOf(pathname) {
  return decodeURIComponent(pathname.replace(/^\/(watch|publish)\//, '').replace(/\/$/, ''));
}

/**
 * What there is to say about a channel, in one line; parts that are not known are left out.
 *
 * @param {Channel} channel
 * @param {number} now Unix milliseconds
 */
export function describe({ since, width, height, frame_rate: rate, codecs }, now) {
  const picture = width && height ? `${width} × ${height}${rate ? ` at ${Number(rate.toFixed(2))} fps` : ''}` : '';
  return [picture, codecs && formats(codecs), since && `live for ${duration(now - Date.parse(since))}`].filter(Boolean).join(' · ');
}

/** @param {string[]} codecs */
function formats(codecs) {
  const names = { avc1: 'H.264', avc3: 'H.264', hvc1: 'HEVC', hev1: 'HEVC', av01: 'AV1', mp4a: 'AAC', Opus: 'Opus', opus: 'Opus' };
  return codecs
    .map((codec) => codec.split('.')[0] ?? '')
    .map((kind) => names[/** @type {keyof typeof names} */ (kind)] ?? kind)
    .join(' + ');
}

/** @param {number} ms */
function duration(ms) {
  const minutes = Math.floor(Math.max(0, ms) / 60_000);
  if (minutes < 1) return 'less than a minute';
  return minutes < 60 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}
