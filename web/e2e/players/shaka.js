// Shaka Player in its low latency mode.

import '/vendor/shaka.js';

const { shaka } = window;

/** Plays `url`; what comes back is the same for every player. */
export async function drive(video, url) {
  shaka.polyfill.installAll();
  const player = new shaka.Player();
  const errors = [];
  const note = ({ code, severity, message }) => {
    errors.push({ at: Date.now(), fatal: severity === shaka.util.Error.Severity.CRITICAL, what: `${code}: ${message}` });
  };
  player.addEventListener('error', ({ detail }) => note(detail));
  await player.attach(video);
  player.configure({
    abr: { enabled: false },
    // Its distance is counted from PART-HOLD-BACK before the edge.
    streaming: { lowLatencyMode: true, liveSync: { enabled: true, targetLatency: 0.1, targetLatencyTolerance: 0.1 } },
  });
  await player.load(url);
  const rungs = () => player.getVariantTracks().sort((a, b) => b.height - a.height);
  return {
    name: `Shaka Player ${shaka.Player.version}`,
    errors,
    rungs: () => rungs().map(({ height }) => height),
    switchTo: (rung) => player.selectVariantTrack(rungs()[rung]),
    programDate: () => player.getPlayheadTimeAsDate()?.getTime() ?? null,
  };
}
