// What is seen from three metres: how many watch, what is expected, and whether they are happy.

import { Chart } from './chart.js';
import { clock, ms, percent, rate, short, span, whole, words } from './format.js';
import { Card, Figures, Nothing, Pill, html } from './parts.js';

const HOPS = { received: 'Received', encoded: 'Encoded', packaged: 'Packaged', replicated: 'Replicated to edges', first_byte: 'First byte sent' };

/** @param {{ store: import('./store.js').Store, frame: import('./contract.js').Frame }} props */
export function Wall({ store, frame }) {
  const { audience, alerts } = frame;
  const edges = frame.hints.find(({ pool }) => pool === 'edges');
  const data = store.series.data;
  const error = audience.standard_error > 0 ? `± ${percent(2 * audience.standard_error)}` : 'counted one by one';
  return html`<div class="wall">
    <section class="hero" aria-label="Concurrency">
      <p class="huge"><strong>${whole(audience.viewers)}</strong> <span>${audience.viewers === 1 ? 'viewer' : 'viewers'}</span></p>
      <p class="beneath">
        <span><b>+${rate(audience.joins_per_second)}</b> / s join</span><span><b>−${rate(audience.leaves_per_second)}</b> / s leave</span><span>${error}</span>
      </p>
      ${edges && html`<${Room} hint=${edges} />`}
    </section>
    <${Alerts} alerts=${alerts} />
    <${Card} title="The last hour and the next minutes" class="wide">
      <${Chart} data=${data} summary=${summary(frame, edges)} />
    <//>
    <${Card} title="How well they watch" aside=${html`<span class="aside">${short(audience.quality.reporting)} players say</span>`}>
      <${Figures} of=${quality(audience.quality)} />
    <//>
    <${Card} title="On the way, over the last minute">
      ${frame.latency.length === 0
        ? html`<${Nothing}>Nothing has passed within the last minute.<//>`
        : html`<table>
            <thead><tr><th>Hop</th><th class="n">Median</th><th class="n">95 %</th><th class="n">99 %</th></tr></thead>
            <tbody>${frame.latency.map(({ hop, p50_ms, p95_ms, p99_ms }) => html`<tr key=${hop}><th scope="row">${HOPS[hop]}</th><td class="n">${ms(p50_ms)}</td><td class="n">${ms(p95_ms)}</td><td class="n">${ms(p99_ms)}</td></tr>`)}</tbody>
          </table>`}
    <//>
    <${Card} title="Channels">
      ${frame.channels.length === 0
        ? html`<${Nothing}>Nothing is live.<//>`
        : html`<table>
            <thead><tr><th>Channel</th><th class="n">Viewers</th><th class="n">Join / s</th><th class="n">Stand still</th></tr></thead>
            <tbody>${frame.channels.map((channel) => html`<tr key=${channel.channel}><th scope="row">${channel.channel} ${channel.live ? null : html`<${Pill} kind="info">ended<//>`}</th><td class="n">${whole(channel.viewers)}</td><td class="n">${rate(channel.joins_per_second)}</td><td class="n">${percent(channel.quality.rebuffer_ratio)}</td></tr>`)}</tbody>
          </table>`}
      ${audience.renditions.length > 0 && html`<p class="fine">By rendition: ${counts(audience.renditions)}</p>`}
      ${audience.protocols.length > 0 && html`<p class="fine">By protocol: ${counts(audience.protocols)}</p>`}
    <//>
    <${Card} title="Events">
      ${frame.events.length === 0 ? html`<${Nothing}>The calendar is empty: plan an event under Hints, and the hints know what comes.<//>` : frame.events.map((event) => html`<${OnNow} key=${event.id} event=${event} at=${frame.at} />`)}
    <//>
  </div>`;
}

/** Most first. @param {import('./contract.js').Count[]} of */
function counts(of) {
  return [...of].sort((a, b) => b.viewers - a.viewers).map(({ name, viewers }) => `${name} ${whole(viewers)}`).join(', ');
}

/** @param {{ hint: import('./contract.js').Hint }} props */
function Room({ hint }) {
  const [need, there] = [hint.need.viewers ?? 0, hint.capacity.viewers ?? 0];
  const short_of = hint.nodes > hint.nodes_now;
  return html`<p class="room">
    <${Pill} kind=${hint.stale ? 'critical' : short_of ? 'warning' : 'good'}>${hint.stale ? 'Nobody knows how many watch' : short_of ? `${hint.nodes - hint.nodes_now} more edges are needed` : 'There is room'}<//>
    <span>room for ${short(there)} on ${hint.nodes_now} ${hint.nodes_now === 1 ? 'edge' : 'edges'}, ${short(need)} needed in ${span(hint.forecast.seconds_ahead)}</span>
  </p>`;
}

/** @param {{ alerts: import('./contract.js').Alert[] }} props */
export function Alerts({ alerts }) {
  if (alerts.length === 0) return html`<section class="alerts" aria-label="Alerts"><p class="well"><${Pill} kind="good">All is well<//></p></section>`;
  return html`<section class="alerts" aria-label="Alerts">
    ${alerts.map(
      (alert) =>
        html`<article key=${`${alert.rule} ${alert.channel} ${alert.node}`} data-kind=${alert.severity}>
          <h2><${Pill} kind=${alert.severity}>${words(alert.rule)}<//> <span>${[alert.channel, alert.node].filter(Boolean).join(', ')}</span> <small>since ${clock(alert.since)}</small></h2>
          <p>${alert.summary}</p>
          <p class="advice">${alert.advice}</p>
        </article>`,
    )}
  </section>`;
}

/** @param {{ event: import('./contract.js').EventStatus, at: string }} props */
function OnNow({ event, at }) {
  const seconds = (/** @type {string} */ moment) => Date.parse(moment) / 1000;
  const [now, kickOff, end] = [seconds(at), seconds(event.kick_off), seconds(event.end)];
  const when =
    event.ended !== null
      ? `ended at ${clock(event.ended)}`
      : now < kickOff
        ? `kick-off in ${span(kickOff - now)}`
        : now < end
          ? `${span(now - kickOff)} since kick-off, ${span(end - now)} to go`
          : `${span(now - end)} over time: say when it has ended`;
  return html`<p class="on-now"><strong>${event.id}</strong> <${Pill} kind=${event.on_air ? 'good' : 'info'}>${words(event.phase)}<//> <span>${when}</span>${event.expected_peak ? html` <span>${short(event.expected_peak)} expected</span>` : null}</p>`;
}

/** @param {import('./contract.js').Quality} quality @returns {[string, unknown, unknown?, boolean?][]} */
function quality({ startup_ms: startup, live_latency_ms: latency, throughput_kbps: throughput, rebuffer_ratio: still, errors_per_minute: errors }) {
  return [
    ['Stand still', percent(still), 'of the time', (still ?? 0) > 0.02],
    ['Start', ms(startup?.p50), `95 %: ${ms(startup?.p95)}`],
    ['Behind live', ms(latency?.p50), `95 %: ${ms(latency?.p95)}`],
    ['Throughput', throughput ? `${(throughput.p50 / 1000).toFixed(1)} Mb/s` : '–', 'median'],
    ['Errors', whole(errors), 'a minute', errors > 0],
  ];
}

/** @param {import('./contract.js').Frame} frame @param {import('./contract.js').Hint | undefined} hint */
function summary({ audience }, hint) {
  const now = `${whole(audience.viewers)} viewers now`;
  if (!hint) return now;
  const { low, high, seconds_ahead: ahead } = hint.forecast;
  return `${now}; ${whole(low)} to ${whole(high)} forecast in ${span(ahead)}; room for ${whole(hint.capacity.viewers)}`;
}
