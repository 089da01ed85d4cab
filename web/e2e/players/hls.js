// hls.js as the watch page runs it. In the page this module also stands for `hls.js` itself, to get hold of the instance.

import Original from '/vendor/hls.mjs';

let instance;

export default class Hls extends Original {
  constructor(config) {
    super(config);
    instance = this;
  }
}

/** Plays `url`; what comes back is the same for every player. */
export async function drive(video, url) {
  const { play } = await import('/src/hls-player.js');
  const playback = play(video, url);
  const errors = [];
  instance.on(Original.Events.ERROR, (_, { fatal, details, error }) => {
    errors.push({ at: Date.now(), fatal, what: `${details}: ${error.message}` });
  });
  return {
    name: playback.readings().player,
    errors,
    rungs: () => instance.levels.map(({ height }) => height),
    // As the page's menu does.
    switchTo: (rung) => playback.choose(playback.readings().renditions.find(({ level }) => level === rung).name),
    programDate: () => playback.readings().programDate,
  };
}
