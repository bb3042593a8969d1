#!/usr/bin/env node
// Prints events a second of a plugin in a process of its own. Usage: bench.js [EVENTS]. The best of three runs counts.
import {spawn} from 'node:child_process';

const count = Number(process.argv[2] ?? 500_000);
const library = new URL('../src/index.js', import.meta.url).href;
const program = (handler) => `import {Plugin} from '${library}';
  new Plugin('bench').on('MESSAGE_SENT', ${handler}).main();`;
const programs = {'plain handler': program('(event) => { event.message; }'),
  'async handler': program('async (event) => { event.message; }')};

const line = (message) => JSON.stringify(message) + '\n';
const event = {eventId: '01a22cc1-7983-76c6-98d8-d99b90d73509', timestamp: 1796047206825, type: 'MESSAGE_SENT',
  userId: 'ann', userName: 'ann', channelId: 'general', messageId: '01a22cc1-7983-76c6-98d8-d99b90d73509',
  message: 'hello, this is a message of a chat'};
const parts = [line({type: 'hello', protocol: 1, plugin: 'bench', phase: 'event', purpose: 'live', config: {}}),
  line({type: 'start', queues: [{name: 'main', cursor: null, state: null}]})];
for (let delivery = 1; delivery <= count; delivery += 1) {
  parts.push(line({type: 'event', queue: 'main', delivery, position: delivery, attempt: 1, mode: 'live', event}));
}
parts.push(line({type: 'drain', deadlineMs: 600_000, why: 'the end'}));
const data = Buffer.from(parts.join(''));

const run = (source) => new Promise((resolve) => {
  const child = spawn(process.execPath, ['--input-type=module', '-e', source], {stdio: ['pipe', 'pipe', 'inherit']});
  const began = process.hrtime.bigint();
  child.stdin.write(data);
  child.stdout.on('data', (chunk) => {
    if (chunk.includes('drained')) resolve(count / (Number(process.hrtime.bigint() - began) / 1e9));
  });
});

for (const [name, source] of Object.entries(programs)) {
  const rates = [await run(source), await run(source), await run(source)];
  console.log(`${name}  ${Math.round(Math.max(...rates)).toLocaleString('en')} events/s`);
}
process.exit(0);
