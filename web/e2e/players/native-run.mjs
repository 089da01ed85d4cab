// ffmpeg and GStreamer, which know no parts: whole segments, at their own distance from the live edge.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';

/** How much longer than its media a player may take: it begins some segments behind. */
const PATIENCE_S = 30;
/** A step from picture to picture that is off by more than this share is a break. */
const UNEVEN = 0.5;

/** Decodes `seconds` of the channel as fast as they come; every decoded picture's time is looked at. */
export async function ffmpeg(url, seconds) {
  const command = process.env.FFMPEG ?? 'ffmpeg';
  const version = (await lines(command, ['-version'], 10)).out[0]?.split(' ')[2] ?? 'unknown';
  const input = ['-nostdin', '-hide_banner', '-loglevel', 'repeat+level+warning', '-i', url];
  const { out, err, code } = await lines(
    command,
    [...input, '-map', '0:v:0', '-map', '0:a:0', '-t', String(seconds), '-fps_mode', 'passthrough', '-f', 'framecrc', '-'],
    seconds + PATIENCE_S,
  );
  const messages = (level) => err.filter((line) => line.includes(`[${level}]`) || line.includes('[fatal]'));
  const [errors, warnings] = [messages('error'), messages('warning')];
  const pictures = picturesOf(out);
  const faults = [
    code !== 0 && `it ended with ${code}`,
    errors.length > 0 && `${errors.length} errors: ${summary(errors)}`,
    pictures.breaks.length > 0 && `${pictures.breaks.length} breaks between pictures: ${pictures.breaks.slice(0, 3).join(', ')}`,
    pictures.seconds < seconds - 2 * pictures.step && `${pictures.seconds.toFixed(1)} s of pictures`,
  ].filter(Boolean);
  return {
    player: `ffmpeg ${version}`,
    messages: { errors: errors.length, warnings: warnings.length },
    warnings: summary(warnings) || null,
    frames: { decoded: pictures.count, seconds: pictures.seconds },
    faults,
  };
}

/** Plays through playbin3, which takes hlsdemux2, in real time. */
export async function gstreamer(url, seconds) {
  const sink = (kind) => `${kind}-sink=fakesink sync=true`;
  const { out, err, code } = await lines(
    'gst-launch-1.0',
    ['-m', 'playbin3', `uri=${url}`, sink('video'), sink('audio')],
    seconds,
    { GST_PLUGIN_FEATURE_RANK: 'hlsdemux2:MAX' },
  );
  const all = [...out, ...err];
  const bus = (kind) => all.filter((line) => new RegExp(`\\(${kind}\\):`).test(line));
  const [errors, warnings, buffering] = [bus('error'), bus('warning'), bus('buffering')];
  const playing = all.findIndex((line) => /Setting pipeline to PLAYING/.test(line)) >= 0;
  const ended = all.some((line) => /\(eos\):/.test(line));
  const faults = [
    !playing && 'it never played',
    ended && 'it came to an end while the channel goes on',
    code !== 0 && code !== null && `it ended with ${code}`,
    errors.length > 0 && `${errors.length} errors: ${summary(errors)}`,
  ].filter(Boolean);
  return {
    player: 'GStreamer playbin3, hlsdemux2',
    messages: { errors: errors.length, warnings: warnings.length, buffering: buffering.length },
    warnings: summary(warnings) || null,
    faults,
  };
}

/** The lines of a process; it is asked to stop after `seconds`. */
async function lines(command, args, seconds, env = {}) {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, ...env } });
  const [out, err] = [[], []];
  createInterface(child.stdout).on('line', (line) => out.push(line));
  createInterface(child.stderr).on('line', (line) => err.push(line));
  const stop = setTimeout(() => child.kill('SIGINT'), 1000 * seconds);
  const [code] = await once(child, 'close');
  clearTimeout(stop);
  return { out, err, code };
}

/** The times of the pictures in what framecrc writes. */
function picturesOf(out) {
  const [, numerator, denominator] = /#tb 0: (\d+)\/(\d+)/.exec(out.join('\n')) ?? [0, 1, 1];
  const tick = Number(numerator) / Number(denominator);
  const times = out.filter((line) => /^0,/.test(line)).map((line) => tick * Number(line.split(',')[2]));
  const steps = times.slice(1).map((time, index) => time - times[index]);
  const step = [...steps].sort((a, b) => a - b)[Math.floor(steps.length / 2)] ?? 0;
  const breaks = steps.flatMap((size, index) =>
    Math.abs(size - step) > UNEVEN * step ? [`${(1000 * size).toFixed(0)} ms at ${times[index].toFixed(1)} s`] : []);
  return { count: times.length, seconds: times.length > 0 ? times.at(-1) - times[0] + step : 0, step, breaks };
}

/** Messages without their addresses and numbers, each once. */
function summary(messages) {
  const kinds = new Map();
  for (const message of messages) {
    const kind = message.replace(/ @ 0x\w+/g, '').replace(/\d+/g, 'N').slice(0, 160);
    kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
  }
  return [...kinds].slice(0, 8).map(([kind, count]) => `${count} x ${kind}`).join('; ');
}
