// A Chromium that publishes by WHIP: what a page of anybody's would do, without the care of our own publish page.

import { FAKE_DEVICES, launch } from '../../web/e2e/browser.mjs';

/** A browser with a camera, a microphone and a screen that are none. */
export function openBrowser() {
  return launch(FAKE_DEVICES);
}

/**
 * Publishes from a page of the server's origin. What `end` returns is what the browser has counted of the pictures.
 *
 * @param {import('playwright-core').Browser} browser
 * @param {string} origin
 * @param {string} channel
 * @param {'camera' | 'canvas' | 'screen'} source
 * @param {{ width: number, height: number }} size
 * @param {string} [codec] the one that is offered
 */
export async function publishPage(browser, origin, channel, source, size, codec = 'H264') {
  const context = await browser.newContext({ permissions: ['camera', 'microphone'] });
  const page = await context.newPage();
  await page.goto(`${origin}/`);
  await page.evaluate(begin, { channel, source, size, codec: codec.replace('.', '') });
  return {
    /** Draws pictures of another size from now on. */
    resize: (to) => page.evaluate(({ width, height }) => Object.assign(window.canvas, { width, height }), to),
    stats: () => page.evaluate(read),
    end: async () => {
      const stats = await page.evaluate(read);
      await page.evaluate(() => window.leave());
      await context.close();
      return stats;
    },
  };
}

/** In the page. */
async function begin({ channel, source, size, codec }) {
  const sources = {
    camera: () => navigator.mediaDevices.getUserMedia({ video: { ...size, frameRate: 30 }, audio: true }),
    screen: async () => {
      const [screen, microphone] = [
        await navigator.mediaDevices.getDisplayMedia({ video: { frameRate: 30 } }),
        await navigator.mediaDevices.getUserMedia({ audio: true }),
      ];
      return new MediaStream([...screen.getVideoTracks(), ...microphone.getAudioTracks()]);
    },
    canvas: () => {
      const canvas = Object.assign(document.createElement('canvas'), size);
      window.canvas = document.body.appendChild(canvas);
      const pen = canvas.getContext('2d');
      let count = 0;
      setInterval(() => {
        const { width, height } = canvas;
        count += 1;
        for (let column = 0; column < 16; column++) {
          pen.fillStyle = `hsl(${(column * 40 + count * 7) % 360} 80% 50%)`;
          pen.fillRect((column * width) / 16, 0, width / 16 + 1, height);
        }
        pen.fillStyle = '#fff';
        pen.font = `${height / 4}px monospace`;
        pen.fillText(String(count), width / 8, height / 2);
      }, 1_000 / 30);
      const audio = new AudioContext();
      const tone = new OscillatorNode(audio, { frequency: 440 });
      const sound = new MediaStreamAudioDestinationNode(audio);
      tone.connect(sound);
      tone.start();
      return new MediaStream([...canvas.captureStream(30).getVideoTracks(), ...sound.stream.getAudioTracks()]);
    },
  };
  const media = await sources[source]();
  const peer = new RTCPeerConnection({ bundlePolicy: 'max-bundle' });
  for (const track of media.getTracks()) {
    const transceiver = peer.addTransceiver(track, { direction: 'sendonly', streams: [media] });
    if (track.kind === 'audio') continue;
    const known = RTCRtpSender.getCapabilities('video').codecs;
    transceiver.setCodecPreferences(known.filter(({ mimeType }) => [`video/${codec}`, 'video/rtx'].includes(mimeType)));
  }
  await peer.setLocalDescription();
  const answer = await fetch(`/whip/${channel}`, {
    method: 'POST', headers: { 'Content-Type': 'application/sdp' }, body: peer.localDescription.sdp,
  });
  if (!answer.ok) throw new Error(`${answer.status}: ${await answer.text()}`);
  await peer.setRemoteDescription({ type: 'answer', sdp: await answer.text() });
  window.peer = peer;
  window.leave = () => fetch(answer.headers.get('Location'), { method: 'DELETE' }).then(() => peer.close());
}

/** In the page: what has been sent. */
async function read() {
  const all = [...(await window.peer.getStats()).values()].filter(({ type }) => type === 'outbound-rtp');
  const { framesEncoded, keyFramesEncoded, frameWidth, frameHeight, nackCount, pliCount } = all.find(({ kind }) => kind === 'video');
  const sum = (figure) => all.reduce((total, one) => total + (one[figure] ?? 0), 0);
  return {
    pictures: framesEncoded, keyframes: keyFramesEncoded, size: `${frameWidth}x${frameHeight}`, asks: nackCount, keyframeAsks: pliCount,
    packets: sum('packetsSent'), again: sum('retransmittedPacketsSent'),
  };
}
