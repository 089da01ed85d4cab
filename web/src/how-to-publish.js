// How to publish: the server and the commands as this page's visitor would type them.

/** @param {Location} location */
export function rtmpServer({ hostname }) {
  return `rtmp://${hostname}/live`;
}

/**
 * @param {Location} location
 * @param {string} channel
 */
export function ffmpegCommand(location, channel) {
  return [
    'ffmpeg -re -i match.mp4 \\',
    '  -c:v libx264 -preset veryfast -tune zerolatency \\',
    '  -g 60 -b:v 3000k -c:a aac \\',
    `  -f flv ${rtmpServer(location)}/${channel}`,
  ].join('\n');
}
