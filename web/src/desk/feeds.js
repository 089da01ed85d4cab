// Who publishes, and how each feed does.

import { ask } from './api.js';
import { bits, ms, percent, span, whole, words } from './format.js';
import { Act, Card, Figures, Nothing, Pill, html } from './parts.js';

/** How old a still picture may be, in seconds. */
const STILL = 4;

/** @param {{ frame: import('./contract.js').Frame }} props */
export function Feeds({ frame }) {
  const fed = new Set(frame.publishers.map(({ channel }) => channel));
  const unfed = frame.channels.filter(({ channel, live }) => live && !fed.has(channel));
  if (frame.publishers.length === 0 && unfed.length === 0) {
    return html`<${Nothing}>Nobody publishes ${frame.role === 'edge' ? 'here: this is an edge. Open the desk of an origin' : ''}.<//>`;
  }
  return html`<div class="grid">
    ${unfed.map((channel) => html`<${Card} key=${channel.channel} title=${channel.channel} aside=${html`<${Pill} kind="critical">no publisher<//>`}><${Still} channel=${channel} at=${frame.at} /><p>The channel waits for its publisher to return.</p><//>`)}
    ${frame.publishers.map((publisher) => html`<${Feed} key=${publisher.id} publisher=${publisher} channel=${frame.channels.find(({ channel }) => channel === publisher.channel)} at=${frame.at} />`)}
  </div>`;
}

/** @param {{ publisher: import('./contract.js').Publisher, channel?: import('./contract.js').Channel, at: string }} props */
function Feed({ publisher, channel, at }) {
  const video = publisher.tracks.find(({ kind }) => kind === 'video');
  const audio = publisher.tracks.find(({ kind }) => kind === 'audio');
  const drift = publisher.audio_video_drift_milliseconds;
  const keyframes = video?.keyframe_interval_seconds;
  /** @type {[string, unknown, unknown?, boolean?][]} */
  const figures = [
    ['Bitrate', bits(publisher.bits_per_second)],
    ['Frames', video?.samples_per_second ? `${video.samples_per_second.toFixed(1)} / s` : '–', video ? `${video.width}×${video.height}` : 'no pictures', !video],
    ['Keyframes', keyframes ? `${keyframes.toFixed(1)} s` : '–', 'apart', (keyframes ?? 0) > 4],
    ['Sound', audio ? audio.codec : 'none', audio ? bits(audio.bits_per_second) : '', !audio || (audio.silent_milliseconds ?? 0) > 10_000],
    ['Lip sync', drift === null ? '–' : `${drift > 0 ? '+' : ''}${drift} ms`, 'drift', Math.abs(drift ?? 0) > 200],
    ['Holes', whole(publisher.gaps), `${whole(publisher.timestamp_jumps)} jumps`, publisher.gaps > 0],
    ...link(publisher.link),
  ];
  const aside = html`<${Pill} kind="good">${publisher.protocol}<//>`;
  return html`<${Card} title=${publisher.channel} aside=${aside}>
    ${channel && html`<${Still} channel=${channel} at=${at} />`}
    <${Figures} of=${figures} />
    <p class="fine">${publisher.encoder ?? 'An encoder without a name'}, from ${publisher.peer}, for ${span(publisher.seconds)}</p>
    <${Act} label="Send away" sure=${`Send the publisher of ${publisher.channel} away? Its encoder may come again.`} of=${`the publisher of ${publisher.channel}`} act=${() => ask('DELETE', `/api/v1/publishers/${publisher.id}`)} />
  <//>`;
}

/** @param {{ channel: import('./contract.js').Channel, at: string }} props */
function Still({ channel, at }) {
  if (channel.thumbnail === null) return html`<div class="still none">No picture yet</div>`;
  const version = Math.floor(Date.parse(at) / 1000 / STILL);
  return html`<img class="still" src=${`${channel.thumbnail}?t=${version}`} alt=${`The newest picture of ${channel.channel}`} width="640" height="360" />`;
}

/** What the connection tells, as far as people want it. @param {Record<string, number>} link @returns {[string, unknown, unknown?, boolean?][]} */
function link({ round_trip_seconds: trip, latency_seconds: latency, buffered_seconds: buffered, received_packets: received, lost_packets: lost, belated_packets: belated }) {
  if (trip === undefined) return [];
  const share = (/** @type {number | undefined} */ count) => (received ? (count ?? 0) / received : 0);
  return [
    ['Round trip', ms(1000 * trip), `latency ${ms(1000 * (latency ?? 0))}`],
    ['Buffered', ms(1000 * (buffered ?? 0))],
    ['Lost', percent(share(lost)), 'and sent again'],
    ['Too late', percent(share(belated)), words('for_good'), share(belated) > 0.005],
  ];
}
