#!/usr/bin/env node
// Writes each message once to messages.jsonl in its own folder, although an event may be delivered again.
import fs from 'node:fs';
import {Plugin} from '../src/index.js';

const plugin = new Plugin('exporter', '1.0', {pipelined: true});
const seen = new Set();
let file;

plugin.starting(() => {
  // Not earlier: during a reload the old process may still write.
  file = fs.openSync(`${plugin.dataDir}/messages.jsonl`, 'a+');
  const lines = fs.readFileSync(file, 'utf8').split('\n');
  // A crash may have left half a line; it is written again.
  lines.pop();
  fs.ftruncateSync(file, lines.reduce((size, line) => size + Buffer.byteLength(line) + 1, 0));
  for (const line of lines) seen.add(JSON.parse(line).eventId);
});

plugin.on('MESSAGE_SENT', (event) => {
  if (seen.has(event.id)) return;
  const {channelId, userId, message} = event;
  fs.writeSync(file, JSON.stringify({eventId: event.id, channelId, userId, message}) + '\n');
  fs.fdatasyncSync(file);
  seen.add(event.id);
});

plugin.main();
