// What the next minutes need, why, and what an operator says to it.

import { ask } from './api.js';
import { bits, clock, rate, short, span, whole, words } from './format.js';
import { Act, Card, Field, Figures, Form, Nothing, Pill, html } from './parts.js';

const REASONS = {
  growth: 'How past events grew from here',
  head_room: 'Room beside what is used',
  calendar: 'What the calendar expects',
  on_air: 'An event is on air: nothing is taken away',
  cool_down: 'It was needed a moment ago',
  stale: 'Nobody knows how many watch: nothing is taken away',
  surge: 'An operator asks for more',
  frozen: 'An operator has frozen it',
};

const UNITS = { viewers: 'viewers', bits_per_second: 'bits a second', joins_per_second: 'joins a second', cores: 'cores' };

/** @param {{ frame: import('./contract.js').Frame }} props */
export function Hints({ frame }) {
  return html`<div class="stack">
    <div class="grid two">${frame.hints.map((hint) => html`<${Pool} key=${hint.pool} hint=${hint} />`)}</div>
    <${Card} title="Calendar"><${Calendar} events=${frame.events} /><//>
  </div>`;
}

/** @param {{ hint: import('./contract.js').Hint }} props */
function Pool({ hint }) {
  const state = hint.stale ? html`<${Pill} kind="critical">stale: it does not fall<//>` : html`<${Pill} kind="info">${words(hint.phase)}<//>`;
  const path = `/api/v1/hints/${hint.pool}`;
  const unit = hint.pool === 'edges' ? 'viewers' : 'cores';
  return html`<${Card} title=${words(hint.pool)} aside=${state}>
    <p class="nodes"><strong>${whole(hint.nodes)}</strong> <span>${hint.nodes === 1 ? 'node is' : 'nodes are'} needed, ${hint.nodes_now === 1 ? 'there is' : 'there are'} ${whole(hint.nodes_now)}</span></p>
    <p class="fine">Bound by ${UNITS[hint.binding]}; learnt from ${whole(hint.learnt_from)} moments; ${short(hint.forecast.low)} to ${short(hint.forecast.high)} ${unit} in ${span(hint.forecast.seconds_ahead)}</p>
    <table>
      <thead><tr><th></th><th class="n">Now</th><th class="n">Needed</th><th class="n">There is</th></tr></thead>
      <tbody>${amounts(hint).map(([name, show]) => html`<tr key=${name} data-binding=${hint.binding === name ? '' : undefined}><th scope="row">${UNITS[name]}${hint.binding === name ? ' (binds)' : ''}</th><td class="n">${show(hint.now[name])}</td><td class="n">${show(hint.need[name])}</td><td class="n">${show(hint.capacity[name])}</td></tr>`)}</tbody>
    </table>
    <h3>Why</h3>
    <ol class="reasons">${hint.reasons.map(({ reason, viewers }, index) => html`<li key=${reason} data-first=${index === 0 ? '' : undefined}><span>${why(reason, hint.learnt_from)}</span><b>${short(viewers)}</b></li>`)}</ol>
    ${hint.surge && html`<p class="order"><${Pill} kind="warning">surge ×${hint.surge.factor} until ${clock(hint.surge.until)}<//> <span>by ${hint.surge.by}${hint.surge.note ? `: ${hint.surge.note}` : ''}</span> <${Act} label="Take back" of=${`the surge of ${hint.pool}`} act=${() => ask('DELETE', `${path}/surge`)} /></p>`}
    ${hint.freeze && html`<p class="order"><${Pill} kind="warning">frozen until ${clock(hint.freeze.until)}<//> <span>by ${hint.freeze.by}${hint.freeze.note ? `: ${hint.freeze.note}` : ''}</span> <${Act} label="Take back" of=${`the freeze of ${hint.pool}`} act=${() => ask('DELETE', `${path}/freeze`)} /></p>`}
    <details>
      <summary>Override ${words(hint.pool)}</summary>
      <${Form} label=${`Surge ${hint.pool}`} submit="Surge" clear act=${(/** @type {FormData} */ form) => ask('POST', `${path}/surge`, { factor: Number(form.get('factor')), ...order(form) })}>
        <${Field} label="Times" name="factor" type="number" min="1" max="100" step="0.1" value="2" required />
        <${Field} label="Minutes" name="minutes" type="number" min="1" max="1440" value="30" required />
        <${Field} label="Why" name="note" maxlength="500" />
      <//>
      <${Form} label=${`Freeze ${hint.pool}`} submit="Freeze" clear act=${(/** @type {FormData} */ form) => ask('POST', `${path}/freeze`, order(form))}>
        <${Field} label="Minutes" name="minutes" type="number" min="1" max="1440" value="30" required />
        <${Field} label="Why" name="note" maxlength="500" />
      <//>
    </details>
  <//>`;
}

/** @param {string} reason @param {number} learntFrom */
function why(reason, learntFrom) {
  if (reason === 'growth' && learntFrom === 0) return 'How fast it might grow: nothing is learnt of such a moment yet';
  return REASONS[/** @type {keyof typeof REASONS} */ (reason)] ?? words(reason);
}

/** @param {FormData} form */
function order(form) {
  return { minutes: Number(form.get('minutes')), note: String(form.get('note') ?? '') };
}

/** @param {import('./contract.js').Hint} hint @returns {[keyof typeof UNITS, (value: number | null) => string][]} */
function amounts(hint) {
  if (hint.pool === 'transcoders') return [['cores', (value) => (value === null ? '–' : value.toFixed(1))]];
  return [['viewers', short], ['bits_per_second', bits], ['joins_per_second', rate]];
}

/** @param {{ events: import('./contract.js').EventStatus[] }} props */
function Calendar({ events }) {
  return html`
    ${events.length === 0 ? html`<${Nothing}>Nothing is planned.<//>` : events.map((event) => html`<${Planned} key=${event.id} event=${event} />`)}
    <details open=${events.length === 0}>
      <summary>Plan an event</summary>
      <${Form} label="Plan an event" submit="Plan" clear act=${plan}>
        <${Field} label="Name" name="id" pattern="[A-Za-z0-9_\\-][A-Za-z0-9_.\\-]*" maxlength="64" required />
        <${Field} label="Kick-off" name="kick_off" type="datetime-local" step="60" required />
        <${Field} label="Planned end" name="end" type="datetime-local" step="60" required />
        <${Field} label="Expected viewers" name="expected_peak" type="number" min="1" />
        <${Field} label="Channels" name="channels" placeholder="main, cam2" />
      <//>
    </details>`;
}

/** @param {{ event: import('./contract.js').EventStatus }} props */
function Planned({ event }) {
  const path = `/api/v1/events/${event.id}`;
  const moment = (/** @type {string} */ at) => new Date(at).toLocaleString('en-GB', { dateStyle: 'medium', timeStyle: 'short' });
  return html`<div class="planned">
    <p><strong>${event.id}</strong> <${Pill} kind=${event.on_air ? 'good' : 'info'}>${event.ended ? 'ended' : words(event.phase)}<//> <span>${moment(event.kick_off)} to ${clock(event.end).slice(0, 5)}</span> <span>${event.expected_peak ? `${short(event.expected_peak)} expected` : ''}</span> <span>${(event.channels ?? []).join(', ')}</span></p>
    <div class="row">
      <${Act} label="+15 min" of=${`for ${event.id}`} act=${() => ask('POST', `${path}/extend`, { minutes: 15, note: '' })} />
      <${Act} label="It has ended" of=${event.id} sure=${`Has ${event.id} ended? What was held for it may be taken away.`} act=${() => ask('POST', `${path}/end`)} />
      <${Act} label="Delete" of=${event.id} sure=${`Take ${event.id} out of the calendar?`} act=${() => ask('DELETE', path)} />
    </div>
  </div>`;
}

/** @param {FormData} form */
function plan(form) {
  const text = (/** @type {string} */ name) => String(form.get(name) ?? '').trim();
  const moment = (/** @type {string} */ name) => new Date(text(name)).toISOString();
  const peak = text('expected_peak');
  const channels = text('channels').split(/[\s,]+/).filter(Boolean);
  const event = { kick_off: moment('kick_off'), end: moment('end'), expected_peak: peak ? Number(peak) : null, channels };
  return ask('PUT', `/api/v1/events/${encodeURIComponent(text('id'))}`, event);
}
