// A player in headless Chromium, for some time, with switches of rendition forced on it.

/** How long a player may take to reach the latency that it aims at, in milliseconds. */
const SETTLE_MS = 15_000;
/** A switch that is asked for later than this before the end might not be seen, in milliseconds. */
const LAST_SWITCH_MS = 3_000;

/**
 * @param {import('playwright-core').Browser} browser
 * @param {{ page: string, url: string, seconds: number, switchEvery: number }} plan the page of the player, the playlist, seconds
 */
export async function watch(browser, { page: address, url, seconds, switchEvery }) {
  const page = await browser.newPage();
  try {
    await page.goto(address);
    await page.waitForFunction(() => window.ready);
    const name = await page.evaluate(async (playlist) => {
      const video = document.querySelector('video');
      window.player = await window.ready.drive(video, playlist);
      window.reading = window.ready.meter(video, window.player.programDate);
      return window.player.name;
    }, url);
    // What it changes by itself before it is asked to would be no switch that was asked for. Where a rendition begins with a gap it
    // leaves, whatever it is told.
    const shown = () => {
      const height = window.player.rungs()[0];
      if (height !== undefined && document.querySelector('video').videoHeight !== height) window.player.switchTo(0);
      return document.querySelector('video').videoHeight === height;
    };
    await page.waitForFunction(shown, null, { polling: 1_000 });
    const switches = await play(page, seconds, switchEvery);
    const reading = await page.evaluate(() => ({ ...window.reading(), errors: window.player.errors }));
    return { name, switches, ...reading };
  } finally {
    await page.close();
  }
}

/** Goes through the rungs, top to bottom and again. */
async function play(page, seconds, switchEvery) {
  const switches = [];
  const end = Date.now() + 1000 * seconds;
  const passed = (ms) => new Promise((resolve) => setTimeout(resolve, Math.max(0, ms)));
  for (let next = 1; ; next += 1) {
    await passed(Math.min(1000 * switchEvery, end - Date.now()));
    if (Date.now() > end - LAST_SWITCH_MS) {
      await passed(end - Date.now());
      return switches;
    }
    const height = await page.evaluate((turn) => {
      const rungs = window.player.rungs();
      const rung = turn % rungs.length;
      window.player.switchTo(rung);
      return rungs[rung];
    }, next);
    switches.push({ at: Date.now(), height });
  }
}

/**
 * What a run comes to, in one row; `faults` says what was asked for and did not hold.
 *
 * @param {Awaited<ReturnType<typeof watch>>} run
 * @param {{ holdBack: number, part: number }} server what its playlists say, in seconds
 */
export function judge(run, { holdBack, part }) {
  const near = ({ latency }) => Math.abs(latency - holdBack) <= part;
  const settled = run.samples.findIndex(near);
  const latencies = run.samples.slice(Math.max(0, settled)).map(({ latency }) => latency).sort((a, b) => a - b);
  const off = run.samples.slice(Math.max(0, settled)).filter((sample) => !near(sample));
  const at = (share) => latencies[Math.min(latencies.length - 1, Math.floor(share * latencies.length))];
  const shown = run.switches.filter(({ at: asked, height }) => run.heights.some((seen) => seen.at > asked && seen.height === height));
  const stalledMs = run.stalls.reduce((sum, { ms }) => sum + ms, 0);
  const faults = [
    run.first === null && 'it never played',
    run.standingStillMs > 1000 && `it stands still at the end, for ${run.standingStillMs} ms`,
    run.stalls.length > 0 && `${run.stalls.length} stalls, ${stalledMs} ms`,
    run.waiting.length > 0 && `${run.waiting.length} waiting events`,
    run.errors.length > 0 && `${run.errors.length} error events: ${[...new Set(run.errors.map(({ what }) => what))].join('; ')}`,
    (settled < 0 || run.samples[settled].at - run.first > SETTLE_MS) && `its latency does not settle at ${holdBack} s`,
    off.length > 0 && `${off.length} of ${latencies.length} samples of latency are more than ${part} s from ${holdBack} s`,
    shown.length < run.switches.length && `${run.switches.length - shown.length} switches of rendition were not seen`,
  ].filter(Boolean);
  return {
    player: run.name,
    start_ms: run.first === null ? null : run.first - run.opened,
    latency_s: latencies.length > 0 ? { min: at(0), median: at(0.5), p95: at(0.95), max: at(1) } : null,
    stalls: { count: run.stalls.length, ms: stalledMs, waiting_events: run.waiting.length },
    errors: { fatal: run.errors.filter(({ fatal }) => fatal).length, other: run.errors.filter(({ fatal }) => !fatal).length },
    switches: { asked: run.switches.length, seen: shown.length },
    frames: { shown: run.frames, dropped: run.dropped },
    faults,
    timeline: timeline(run),
  };
}

/** All that happened, in order, in seconds since the player was opened. */
function timeline({ opened, switches, heights, stalls, waiting, errors }) {
  const events = [
    ...switches.map(({ at, height }) => [at, `asked for ${height} lines`]),
    ...heights.map(({ at, height }) => [at, `shows ${height} lines`]),
    ...stalls.map(({ at, ms }) => [at, `has stood still for ${ms} ms`]),
    ...waiting.map((at) => [at, 'waits']),
    ...errors.map(({ at, what }) => [at, what]),
  ];
  return events.sort(([a], [b]) => a - b).map(([at, what]) => `${((at - opened) / 1000).toFixed(2)} ${what}`);
}
