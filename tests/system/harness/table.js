// The table that run.sh --lab prints: one line per call, or per case where no media was measured.
const columns = [
  ['case', (c) => c.name], ['call', (c, r) => r.call ?? ''], ['result', (c) => (c.ok ? 'ok' : 'FAILED')],
  ['wss', (c, r) => r.wss_ms], ['registered', (c, r) => r.registered_ms], ['ringing', (c, r) => r.progress_ms],
  ['answered', (c, r) => r.accepted_ms], ['media', (c, r) => r.media_ms],
  ['sent/s', (c, r) => r.sent_pps?.toFixed(1)], ['recv/s', (c, r) => r.received_pps?.toFixed(1)],
  ['sent', (c, r) => r.sent], ['recv', (c, r) => r.received], ['lost', (c, r) => r.lost], ['codec', (c, r) => r.codec],
  ['srtp', (c, r) => r.srtp], ['beeps', (c, r) => r.beeps], ['zero after', (c) => c.settled_ms],
  ['took', (c) => c.ran_ms]];

export function renderTable(results) {
  const lines = [columns.map(([title]) => title)];
  for (const result of results) {
    for (const row of result.rows.length > 0 ? result.rows : [{}]) {
      lines.push(columns.map(([, cell]) => String(cell(result, row) ?? '-')));
    }
  }
  const widths = columns.map((_, n) => Math.max(...lines.map((line) => line[n].length)));
  const text = lines.map((line) => line.map((cell, n) => cell.padEnd(widths[n])).join('  ').trimEnd());
  text.splice(1, 0, widths.map((width) => '-'.repeat(width)).join('  '));
  const failures = results.filter((result) => !result.ok).map((result) => `FAILED ${result.name}: ${result.error}`);
  return [...text, '', 'times in ms: wss and registered from the page load of the user agent, the others from the call or the answer',
    ...failures].join('\n');
}
