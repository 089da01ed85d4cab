// What the server measures of a feed, in figures for the person who sends it.

/**
 * What the server tells, of what is used here.
 *
 * @typedef {object} Report
 * @property {number} bits_per_second
 * @property {number} gaps
 * @property {number} discarded_samples
 * @property {number | null} audio_video_drift_milliseconds
 * @property {Track[]} tracks
 * @property {Record<string, number>} link
 *
 * @typedef {object} Track
 * @property {'video' | 'audio'} kind
 * @property {string} codec RFC 6381
 * @property {number | null} width
 * @property {number | null} height
 * @property {number | null} samples_per_second
 * @property {number | null} keyframe_interval_seconds
 */

/**
 * A figure: the number, its unit, and whether it is bad for viewers.
 *
 * @typedef {[value: string, unit?: string, bad?: boolean]} Figure
 */

/** Lost for good, of a hundred packets: from here on pictures are damaged more often than once a minute. */
const BAD_LOSS_PERCENT = 0.1;
/** Lip sync is lost (ITU-R BT.1359), in milliseconds. */
const BAD_DRIFT_MS = 90;
/** Viewers join at keyframes, in seconds. */
const BAD_KEYFRAME_INTERVAL = 4.5;

/**
 * Figures by the `data-stat` that shows them; what is not known is left out.
 *
 * @param {Report} report
 * @returns {Record<string, Figure>}
 */
export function figuresOf({ bits_per_second: bits, gaps, discarded_samples: discarded, audio_video_drift_milliseconds: drift, tracks, link }) {
  const video = tracks.find(({ kind }) => kind === 'video');
  /** @type {Record<string, Figure>} */
  const figures = {};
  if (bits > 0) figures.bitrate = bits < 1e6 ? [(bits / 1e3).toFixed(0), 'kb/s'] : [(bits / 1e6).toFixed(2), 'Mb/s'];
  if (video?.samples_per_second) figures.frameRate = [video.samples_per_second.toFixed(1), '/ s'];
  if (video?.width && video.height) figures.picture = [`${video.width}×${video.height}`, codecName(video.codec)];
  const interval = video?.keyframe_interval_seconds;
  if (interval) figures.keyframes = [interval.toFixed(1), 's', interval > BAD_KEYFRAME_INTERVAL];
  const { received_packets: received, lost_packets: lost, round_trip_seconds: roundTrip } = link;
  if (received && lost !== undefined) {
    const percent = (100 * lost) / (received + lost);
    figures.loss = [String(lost), `${percent.toFixed(percent < 10 ? 2 : 0)} %`, percent > BAD_LOSS_PERCENT];
  }
  if (roundTrip) figures.roundTrip = [(1000 * roundTrip).toFixed(roundTrip < 0.01 ? 1 : 0), 'ms'];
  if (tracks.length > 0) figures.gaps = [`${gaps}, ${discarded}`, '', gaps > 0];
  if (drift !== null) figures.drift = [`${drift > 0 ? '+' : ''}${drift}`, 'ms', Math.abs(drift) > BAD_DRIFT_MS];
  return figures;
}

/** @param {string} codec RFC 6381 */
function codecName(codec) {
  const names = { avc1: 'H.264', avc3: 'H.264', hvc1: 'HEVC', hev1: 'HEVC', av01: 'AV1' };
  const [kind = codec] = codec.split('.');
  return names[/** @type {keyof typeof names} */ (kind)] ?? kind;
}

/**
 * Writes the figures into the elements that carry `data-stat`.
 *
 * @param {HTMLElement} strip
 * @param {Report | null} report null: nothing is sent
 */
export function show(strip, report) {
  const figures = report ? figuresOf(report) : {};
  for (const cell of strip.querySelectorAll('[data-stat]')) {
    const [value, unit = '', bad = false] = figures[cell.getAttribute('data-stat') ?? ''] ?? ['–'];
    cell.textContent = value;
    cell.toggleAttribute('data-bad', bad);
    if (unit) cell.appendChild(document.createElement('small')).textContent = unit;
  }
}
