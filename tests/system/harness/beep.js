// Finds the beep of Chromium's fake microphone (20 ms of 400 Hz, at a fixed interval) in a recording.
import fs from 'node:fs';

// 16 bit PCM; the length fields of a file that is still being written are not believed.
export function readWav(file) {
  const data = fs.readFileSync(file);
  if (data.length < 44 || data.toString('latin1', 0, 4) !== 'RIFF') throw new Error(`${file} is no WAV file`);
  let at = 12;
  let rate = 0;
  let channels = 1;
  while (at + 8 <= data.length) {
    const name = data.toString('latin1', at, at + 4);
    const length = data.readUInt32LE(at + 4);
    if (name === 'fmt ') {
      channels = data.readUInt16LE(at + 10);
      rate = data.readUInt32LE(at + 12);
    }
    if (name === 'data') {
      const end = length === 0 ? data.length : Math.min(data.length, at + 8 + length);
      const samples = new Int16Array(Math.floor((end - at - 8) / 2 / channels));
      for (let n = 0; n < samples.length; n++) samples[n] = data.readInt16LE(at + 8 + n * 2 * channels);
      return { rate, samples };
    }
    at += 8 + length + (length & 1);
  }
  throw new Error(`${file} holds no samples`);
}

// Power at one frequency over a window (Goertzel), as the amplitude of a sine that would give it.
function amplitudeAt(samples, from, count, hertz, rate) {
  const factor = 2 * Math.cos((2 * Math.PI * hertz) / rate);
  let s1 = 0;
  let s2 = 0;
  for (let n = 0; n < count; n++) {
    const s0 = samples[from + n] + factor * s1 - s2;
    s2 = s1;
    s1 = s0;
  }
  return (2 * Math.sqrt(Math.max(0, s1 * s1 + s2 * s2 - factor * s1 * s2))) / count;
}

// Times in seconds at which a beep begins: windows of 20 ms, every 5 ms, in which 400 Hz stands out of the quiet.
export function findBeeps({ rate, samples }, { hertz = 400, level = 300 } = {}) {
  const window = Math.round(rate / 50);
  const step = Math.round(rate / 200);
  const beeps = [];
  let loud = false;
  for (let from = 0; from + window <= samples.length; from += step) {
    const amplitude = amplitudeAt(samples, from, window, hertz, rate);
    if (!loud && amplitude > level) beeps.push(from / rate);
    loud = amplitude > (loud ? level / 2 : level);
  }
  return beeps;
}

// The verdict for a call of `seconds`: beeps at an even pace, as many as that time holds but for the edges.
export function hearsBeeps(wave, seconds) {
  const beeps = findBeeps(wave);
  const gaps = beeps.slice(1).map((at, n) => at - beeps[n]).sort((a, b) => a - b);
  const gap = gaps[gaps.length >> 1];
  return { beeps: beeps.length, interval_s: gap, heard: beeps.length >= 2 && gap < 1.2 && beeps.length >= Math.floor((seconds - 1) / gap) };
}
