#!/usr/bin/env python3
"""Publishes by WHIP with aiortc: noise that moves, and a tone.

    aiortc-whip.py URL SECONDS [WIDTHxHEIGHT]

Needs aiortc 1.16: python3 -m venv DIR && DIR/bin/pip install aiortc==1.16.0, then DIR/bin/python. Prints what it has sent as JSON.
"""

import asyncio
import fractions
import json
import math
import random
import struct
import sys
import urllib.parse
import urllib.request

import av
from aiortc import AudioStreamTrack, RTCPeerConnection, RTCRtpSender, RTCSessionDescription, VideoStreamTrack

TONE_HZ = 1_000
SAMPLE_RATE = 48_000
SAMPLES = SAMPLE_RATE // 50


class Pictures(VideoStreamTrack):
    """Thirty pictures a second, each another one: a field of noise that wanders over grey."""

    def __init__(self, width, height):
        super().__init__()
        self.frames, self.size = 0, (width, height)
        self.noise = [random.randbytes(width) for _ in range(height // 8)]

    async def recv(self):
        pts, time_base = await self.next_timestamp()
        frame = av.VideoFrame(*self.size, "yuv420p")
        for index, plane in enumerate(frame.planes):
            data = bytearray(b"\x80" * plane.buffer_size)
            if index == 0:
                top = self.frames * 3 % (plane.height - len(self.noise))
                for row, noise in enumerate(self.noise):
                    at = (top + row) * plane.line_size
                    data[at:at + len(noise)] = noise
            plane.update(bytes(data))
        frame.pts, frame.time_base = pts, time_base
        self.frames += 1
        return frame


class Tone(AudioStreamTrack):
    """Twenty milliseconds at a time."""

    async def recv(self):
        frame = await super().recv()
        first = frame.pts * SAMPLE_RATE // frame.sample_rate
        tone = [int(8_000 * math.sin(2 * math.pi * TONE_HZ * (first + n) / SAMPLE_RATE)) for n in range(SAMPLES)]
        made = av.AudioFrame(format="s16", layout="mono", samples=SAMPLES)
        made.planes[0].update(struct.pack(f"<{SAMPLES}h", *tone))
        made.pts, made.sample_rate, made.time_base = first, SAMPLE_RATE, fractions.Fraction(1, SAMPLE_RATE)
        return made


def request(method, url, body=None):
    headers = {"Content-Type": "application/sdp"} if body else {}
    with urllib.request.urlopen(urllib.request.Request(url, body, headers, method=method)) as answer:
        return answer.headers.get("Location"), answer.read().decode()


async def publish(url, seconds, width, height):
    pictures, peer = Pictures(width, height), RTCPeerConnection()
    video = peer.addTransceiver(pictures, "sendonly")
    known = RTCRtpSender.getCapabilities("video").codecs
    video.setCodecPreferences([codec for codec in known if codec.mimeType in ("video/H264", "video/rtx")])
    peer.addTransceiver(Tone(), "sendonly")
    await peer.setLocalDescription(await peer.createOffer())
    location, answer = await asyncio.to_thread(request, "POST", url, peer.localDescription.sdp.encode())
    await peer.setRemoteDescription(RTCSessionDescription(answer, "answer"))
    await asyncio.sleep(seconds)
    stats = [one for one in (await peer.getStats()).values() if one.type == "outbound-rtp"]
    await asyncio.to_thread(request, "DELETE", urllib.parse.urljoin(url, location))
    await peer.close()
    print(json.dumps({"pictures": pictures.frames, "packets": sum(one.packetsSent for one in stats)}))


if __name__ == "__main__":
    address, time, *size = sys.argv[1:]
    asyncio.run(publish(address, float(time), *map(int, (size or ["640x360"])[0].split("x"))))
