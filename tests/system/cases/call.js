// Steps that many cases share: place, answer, measure, end.
import { measure, setupTimes } from '../harness/media.js';

// Both ends' media up; who answers says when.
export async function connectBrowsers(caller, callee, { target = callee.user, options = {}, answer = {} } = {}) {
  const out = await caller.call(target, options);
  const into = await callee.incoming();
  await into.answer(answer);
  await Promise.all([out.event('accepted'), into.event('confirmed')]);
  await Promise.all([out.media(), into.media()]);
  return [out, into];
}

// Measures every given call at once and reports one row each.
export async function measureAll(report, calls, options) {
  const rows = await Promise.all(calls.map(async ([label, call]) => ({
    call: label, ...call.phone.times, ...(await setupTimes(call)), ...(await measure(call, options)) })));
  rows.forEach(report);
  return rows;
}

// The calling side hangs up and every end hears of it.
export async function endFrom(by, others) {
  await by.hangup();
  await Promise.all([by, ...others].map((call) => call.event('ended', 2000)));
}

export async function expectFailure(call, code, limitMs = 4000) {
  const failed = await call.event('failed', limitMs);
  if (failed.code !== code) throw new Error(`${code} expected, the call failed with ${failed.code ?? failed.cause}`);
  return failed;
}

export function require(condition, text) {
  if (!condition) throw new Error(text);
}
