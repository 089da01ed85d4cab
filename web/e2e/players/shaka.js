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
    // Else it sets each part's time anew from the playlist, by aborting its source buffer wherever that is off by 1 ms, which
    // its own correction of 1 ms makes a matter of rounding; and after an abort a browser drops pictures up to a keyframe.
    manifest: { hls: { ignoreManifestTimestampsInSegmentsMode: true } },
    // Its distance is counted from PART-HOLD-BACK before the edge.
    streaming: { lowLatencyMode: true, liveSync: { enabled: true, targetLatency: 0, targetLatencyTolerance: 0.05 } },
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
