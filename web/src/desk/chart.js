// Concurrency against what is forecast, needed and there.

import { useEffect, useRef } from 'preact/hooks';
import uPlot from 'uplot';

import { short } from './format.js';
import { html, useTheme } from './parts.js';

/** @typedef {{ node: HTMLElement | null, chart: uPlot | null, observer: ResizeObserver | null }} Drawn */

/**
 * @param {{ data: (number | null)[][], summary: string }} props
 */
export function Chart({ data, summary }) {
  const place = /** @type {{ current: HTMLDivElement | null }} */ (useRef(null));
  const drawn = /** @type {{ current: uPlot | null }} */ (useRef(null));
  const latest = useRef(data);
  latest.current = data;

  const draw = () => {
    const node = place.current;
    if (!node) return;
    drawn.current?.destroy();
    drawn.current = new uPlot(options(node), /** @type {any} */ (latest.current), node);
  };
  useEffect(() => {
    draw();
    const observer = new ResizeObserver(() => {
      const node = place.current;
      const [width, height] = [node?.clientWidth ?? 0, node?.clientHeight ?? 0];
      if (drawn.current && width > 0 && (drawn.current.width !== width || drawn.current.height !== height)) draw();
    });
    if (place.current) observer.observe(place.current);
    return () => {
      observer.disconnect();
      drawn.current?.destroy();
      drawn.current = null;
    };
  }, []);
  useTheme(draw);
  useEffect(() => drawn.current?.setData(/** @type {any} */ (data)), [data]);

  const above = Math.max(...(data[5] ?? []).map((value) => value ?? 0), 0) > ceiling(/** @type {any} */ (data));
  return html`<figure class="chart">
    <div class="plot" role="img" aria-label=${summary} ref=${place}></div>
    <figcaption>
      <span data-line="viewers">Viewers</span><span data-line="band">Forecast</span><span data-line="need">Room needed</span><span data-line="capacity">Room there is${above ? ' (above what is shown)' : ''}</span>
    </figcaption>
  </figure>`;
}

/** So many seconds are shown at least. */
const LEAST_SPAN = 900;
/** Room that is there is shown up to so many times what is used or needed: beyond, it would press everything else flat. */
const SHOWN_ROOM = 3;

/** How high the chart has to be. @param {readonly ArrayLike<number | null | undefined>[]} data */
function ceiling([, viewers, , high, need, capacity]) {
  const most = (/** @type {ArrayLike<number | null | undefined> | undefined} */ column) => Array.from(column ?? []).reduce((/** @type {number} */ so, value) => Math.max(so, value ?? 0), 0);
  const used = Math.max(10, most(viewers), most(high), most(need));
  const room = most(capacity);
  return 1.1 * (room <= SHOWN_ROOM * used ? Math.max(used, room) : used);
}

/** @param {HTMLElement} node @returns {uPlot.Options} */
function options(node) {
  const style = getComputedStyle(node);
  const colour = (/** @type {string} */ name) => style.getPropertyValue(name).trim();
  const size = parseFloat(style.fontSize);
  const font = `${Math.round(size * 0.8)}px ${style.fontFamily}`;
  const axis = { stroke: colour('--dim'), grid: { stroke: colour('--edge'), width: 1 }, ticks: { show: false }, font };
  const line = (/** @type {string} */ label, /** @type {string} */ name, /** @type {object} */ more = {}) => ({
    label,
    stroke: colour(name),
    width: Math.max(2, size / 8),
    points: { show: false },
    spanGaps: true,
    ...more,
  });
  return {
    width: node.clientWidth,
    height: node.clientHeight,
    cursor: { show: false },
    legend: { show: false },
    scales: {
      x: { range: (_, first, last) => [Math.min(first, last - LEAST_SPAN), last] },
      y: { range: (chart) => [0, ceiling(chart.data)] },
    },
    axes: [
      { ...axis, space: size * 6, values: [[3600, '{HH}:{mm}', null, null, null, null, null, null, 1], [60, '{HH}:{mm}', null, null, null, null, null, null, 1], [1, '{HH}:{mm}:{ss}', null, null, null, null, null, null, 1]] },
      { ...axis, size: size * 3.6, values: (_, ticks) => ticks.map((tick) => short(tick)) },
    ],
    series: [
      {},
      line('Viewers', '--accent', { width: Math.max(2, size / 5) }),
      line('Low', '--band', { width: 0 }),
      line('High', '--band', { width: 1 }),
      line('Room needed', '--link', { dash: [size * 0.3, size * 0.4] }),
      line('Room there is', '--ink', { dash: [size, size * 0.5] }),
    ],
    bands: [{ series: [3, 2], fill: colour('--band-fill') }],
  };
}
