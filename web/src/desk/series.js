// What the chart of the wall shows: the last hour in even steps, and what is forecast for the minutes to come.

/** Seconds from one to the next, and how many are kept: of an hour, and a quarter of one ahead. */
export const STEP = 5;
const PAST = 720;
const AHEAD = 180;

const NAMES = /** @type {const} */ (['viewers', 'low', 'high', 'need', 'capacity']);

/** @typedef {{ [name in typeof NAMES[number]]: (number | null)[] }} Columns */

export class Series {
  /** The number of the first step. */
  #first = 0;
  /** @type {Columns} */
  #columns = { viewers: [], low: [], high: [], need: [], capacity: [] };

  /** Begins with what has been. @param {import('./contract.js').History} history */
  load(history) {
    const first = Math.round(Date.parse(history.from) / 1000 / STEP);
    this.#first = first;
    this.#columns = { viewers: [], low: [], high: [], need: [], capacity: [] };
    history.viewers.forEach((viewers, index) => {
      this.#put(first + index, {
        viewers,
        low: history.forecast_low[index] ?? null,
        high: history.forecast_high[index] ?? null,
        need: history.need[index] ?? null,
        capacity: history.capacity[index] ?? null,
      });
    });
  }

  /** Goes on with what is now. @param {import('./contract.js').Frame} frame */
  add(frame) {
    const now = Math.floor(Date.parse(frame.at) / 1000 / STEP);
    const hint = frame.hints.find(({ pool }) => pool === 'edges');
    this.#put(now, { viewers: frame.audience.viewers, need: hint?.need.viewers ?? null, capacity: hint?.capacity.viewers ?? null });
    if (hint) {
      const { seconds_ahead: ahead, low, high } = hint.forecast;
      this.#put(now + Math.min(AHEAD, Math.round(ahead / STEP)), { low, high });
    }
    const surplus = now - PAST - this.#first;
    if (surplus > 0) {
      NAMES.forEach((name) => this.#columns[name].splice(0, surplus));
      this.#first += surplus;
    }
  }

  /** As uPlot wants it: moments in seconds, then each column. @returns {(number | null)[][]} */
  get data() {
    const length = Math.max(...NAMES.map((name) => this.#columns[name].length));
    const moments = Array.from({ length }, (_, index) => (this.#first + index) * STEP);
    const column = (/** @type {(number | null)[]} */ values) => Array.from({ length }, (_, index) => values[index] ?? null);
    return [moments, ...NAMES.map((name) => column(this.#columns[name]))];
  }

  /** @param {number} step @param {Partial<Record<keyof Columns, number | null>>} values */
  #put(step, values) {
    if (this.#columns.viewers.length === 0 && this.#columns.low.length === 0) this.#first = Math.min(this.#first || step, step);
    const index = step - this.#first;
    if (index < 0 || index > PAST + 2 * AHEAD) {
      // The clock of the server has been set: what was before means nothing now.
      if (index > 0) {
        this.#columns = { viewers: [], low: [], high: [], need: [], capacity: [] };
        this.#first = step;
        this.#put(step, values);
      }
      return;
    }
    for (const name of NAMES) {
      const value = values[name];
      if (value === undefined) continue;
      const column = this.#columns[name];
      while (column.length <= index) column.push(null);
      column[index] = value;
    }
  }
}
