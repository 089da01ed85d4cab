// What has happened.

import { useState } from 'preact/hooks';

import { clock, words } from './format.js';
import { Nothing, Pill, html } from './parts.js';

const KINDS = ['alert', 'cleared', 'event', 'override', 'publisher', 'ladder', 'edge', 'server'];

/** @param {{ entries: import('./contract.js').Entry[] }} props */
export function Timeline({ entries }) {
  const [wanted, setWanted] = useState({ kind: '', severity: '', channel: '' });
  const channels = [...new Set(entries.map(({ channel }) => channel).filter(Boolean))].sort();
  const shown = entries.filter((entry) => (!wanted.kind || entry.kind === wanted.kind) && (!wanted.severity || entry.severity === wanted.severity) && (!wanted.channel || entry.channel === wanted.channel));
  const choose = (/** @type {string} */ name) => (/** @type {Event} */ event) => setWanted({ ...wanted, [name]: /** @type {HTMLSelectElement} */ (event.currentTarget).value });
  return html`<div class="stack">
    <div class="filters" role="group" aria-label="Show only">
      <label class="field">Kind<select value=${wanted.kind} onChange=${choose('kind')}><option value="">all</option>${KINDS.map((kind) => html`<option key=${kind} value=${kind}>${kind}</option>`)}</select></label>
      <label class="field">Severity<select value=${wanted.severity} onChange=${choose('severity')}><option value="">all</option>${['info', 'warning', 'critical'].map((severity) => html`<option key=${severity} value=${severity}>${severity}</option>`)}</select></label>
      <label class="field">Channel<select value=${wanted.channel} onChange=${choose('channel')}><option value="">all</option>${channels.map((channel) => html`<option key=${channel} value=${channel}>${channel}</option>`)}</select></label>
    </div>
    ${shown.length === 0
      ? html`<${Nothing}>Nothing of that kind has happened.<//>`
      : html`<ol class="timeline">
          ${shown.map(
            (entry) => html`<li key=${entry.id}>
              <time datetime=${entry.at}>${clock(entry.at)}</time>
              <${Pill} kind=${entry.kind === 'cleared' ? 'good' : entry.severity}>${words(entry.kind)}<//>
              <span class="of">${entry.channel}</span>
              <span>${entry.text}</span>
            </li>`,
          )}
        </ol>`}
  </div>`;
}
