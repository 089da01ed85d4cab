// Who serves viewers.

import { ask } from './api.js';
import { bits, ms, rate, span, whole } from './format.js';
import { Act, Bar, Card, Figures, Nothing, Pill, html } from './parts.js';

/** @param {{ frame: import('./contract.js').Frame }} props */
export function Fleet({ frame }) {
  if (frame.edges.length === 0) return html`<${Nothing}>Nobody serves viewers yet.<//>`;
  return html`<div class="grid">${frame.edges.map((edge) => html`<${Node} key=${edge.node} edge=${edge} self=${frame.node} />`)}</div>`;
}

/** @param {{ edge: import('./contract.js').Edge, self: string }} props */
function Node({ edge, self }) {
  const state = edge.stale ? html`<${Pill} kind="critical">silent for ${span(edge.age_seconds)}<//>` : edge.draining ? html`<${Pill} kind="warning">drains<//>` : html`<${Pill} kind="good">serves<//>`;
  const share = edge.connections / Math.max(1, edge.connections_limit);
  const path = `/api/v1/edges/${encodeURIComponent(edge.node)}/drain`;
  return html`<${Card} title=${edge.node} aside=${state}>
    <${Bar} label=${`Connections of ${edge.node}`} share=${share} words=${`${whole(edge.connections)} of ${whole(edge.connections_limit)} connections`} />
    <${Figures} of=${[
      ['Viewers', whole(edge.viewers)],
      ['Join', `${rate(edge.joins_per_second)} / s`],
      ['Sends', bits(edge.sent_bits_per_second)],
      ['Channels', whole(edge.channels)],
      ['Late', ms(edge.lag_ms), 'what is due', edge.lag_ms > 200],
    ]} />
    ${edge.node === self && html`<p class="fine">This is the node whose desk you see.</p>`}
    <div class="row">
      <${Act} label="Drain" of=${edge.node} sure=${`Lead the viewers of ${edge.node} elsewhere?`} act=${() => ask('POST', path)} />
      <${Act} label="Return" of=${`of viewers to ${edge.node}`} act=${() => ask('DELETE', path)} />
    </div>
  <//>`;
}
