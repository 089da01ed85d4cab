// The renditions that are made.

import { ms, percent, whole } from './format.js';
import { Card, Nothing, Pill, html } from './parts.js';

/** @param {{ frame: import('./contract.js').Frame }} props */
export function Ladders({ frame }) {
  if (frame.ladders.length === 0) return html`<${Nothing}>No renditions are made here: sources are passed through as they are.<//>`;
  return html`<div class="stack">
    ${frame.ladders.map(
      (ladder) => html`<${Card} key=${ladder.channel} title=${ladder.channel} aside=${ladder.worker_deaths > 0 ? html`<${Pill} kind="warning">${ladder.worker_deaths} workers have died<//>` : html`<${Pill} kind="good">the worker runs<//>`}>
        ${ladder.rungs.length === 0 ? html`<${Nothing}>The source is passed through as it is.<//>` : html`<div class="scroll" tabindex="0" role="region" aria-label=${`Renditions of ${ladder.channel}`}>
          <table>
            <thead><tr><th>Rendition</th><th>Encoder</th><th class="n">Lag</th><th class="n">95 %</th><th class="n">Waiting</th><th class="n">Left out</th><th class="n">Frames</th></tr></thead>
            <tbody>
              ${ladder.rungs.map(
                (rung) => html`<tr key=${rung.name}>
                  <th scope="row">${rung.name} ${rung.resting ? html`<${Pill} kind="warning">rests<//>` : null}</th>
                  <td>${rung.encoder ?? '–'}</td>
                  <td class="n">${ms(rung.lag_ms?.p50)}</td><td class="n">${ms(rung.lag_ms?.p95)}</td>
                  <td class="n">${whole(rung.queued)}</td>
                  <td class="n">${percent(rung.frames_in > 0 ? rung.shed / (rung.frames_in + rung.shed) : 0)}</td>
                  <td class="n">${whole(rung.frames_out)}</td>
                </tr>`,
              )}
            </tbody>
          </table>
        </div>`}
      <//>`,
    )}
  </div>`;
}
