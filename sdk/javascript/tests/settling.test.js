import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import {test} from 'node:test';
import {Plugin, Refused} from '../src/index.js';
import {Host} from '../src/testing.js';
import {encodeLine, encodeState} from '../src/wire.js';

const started = async (plugin, options) => {
  const host = new Host(plugin, options);
  await host.start();
  return host;
};

test('the state of a redrive comes behind the older one', async () => {
  const plugin = new Plugin('bot', '1', {state: {}}).on('*', (event) => { event.state.n = event.delivery; });
  const host = await started(plugin);
  // In one turn of the loop, so the first acknowledgement still waits when the second event is handled.
  const live = host.deliver();
  const redriven = host.deliver({}, {mode: 'redrive'});
  assert.equal((await host.outcome(redriven)).kind, 'ack');
  assert.deepEqual(host.lines.slice(1), [
    {type: 'ack', delivery: live, state: {n: 1}},
    {type: 'state', queue: 'main', state: {n: 2}},
    {type: 'ack', delivery: redriven}]);
  assert.deepEqual(host.states.main, {n: 2});
  assert.equal(await host.drain(), 0);
});

/** What a program becomes whose first event is failed, while those of two other channels succeed. */
const failing = async (t, thrown) => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'sdk-'));
  t.after(() => fs.rmSync(folder, {recursive: true}));
  const program = path.join(folder, 'failing.mjs');
  fs.writeFileSync(program, `import {Plugin, Reject, Retry} from '${new URL('../src/index.js', import.meta.url)}';
    process.on('unhandledRejection', () => {});
    new Plugin('failing').on('*', async (event) => { if (event.delivery === 1) throw ${thrown}; }).main();`);
  const host = await started([process.execPath, program]);
  t.after(() => host.close());
  const [first, ...others] = ['a', 'b', 'c'].map((channelId) => host.deliver({channelId}));
  for (const number of others) assert.equal((await host.outcome(number)).kind, 'ack');
  return {host, first};
};

for (const [thrown, kind, code] of [
  ['new Retry(503, "x")', 'retry', '503'],
  ['new Reject(404, "x")', 'reject', '404'],
]) {
  test(`a code that is a number becomes a text: ${thrown}`, async (t) => {
    const {host, first} = await failing(t, thrown);
    const outcome = await host.outcome(first);
    assert.deepEqual([outcome.kind, outcome.code, outcome.message], [kind, code, 'x']);
    const before = host.lines.slice(0, host.lines.findIndex(({type}) => type === kind));
    assert(before.every(({upTo = 0}) => upTo < first));
    assert.equal(await host.drain(), 0);
  });
}

test('an event that cannot be settled is covered by no acknowledgement', async (t) => {
  const {host, first} = await failing(t, 'new Retry({toString() { throw new Error("no text"); }}, "x")');
  assert(!host.settled.has(first) && host.lines.every(({upTo = 0}) => upTo < first));
});

for (const [value, expected] of [
  ['a\ud800b', 'a\ufffdb'],
  ['\udc00', '\ufffd'],
  ['\ud83d', '\ufffd'],
  ['\udc00\ud800', '\ufffd\ufffd'],
  ['\ud800\ud83d\ude00', '\ufffd\u{1f600}'],
  ['\u{1f600}', '\u{1f600}'],
  ['\\ud800', '\\ud800'],
  ['\\\ud800\\\\ud800', '\\\ufffd\\\\ud800'],
  ['\x1f\n"\ud800', '\x1f\n"\ufffd'],
  [{'k\udfff': ['\udfff']}, {'k\ufffd': ['\ufffd']}],
]) {
  test(`half a surrogate pair is replaced: ${JSON.stringify(value)}`, () => {
    const line = encodeLine({type: 'log', fields: {value}});
    assert.deepEqual(JSON.parse(line), {type: 'log', fields: {value: expected}});
    const state = encodeState('main', {value});
    assert.deepEqual(JSON.parse(state), {value: expected});
    // An escape of a half would be read as one.
    assert.equal(line, `{"type":"log","fields":{"value":${JSON.stringify(expected)}}}\n`);
    assert.equal(state, `{"value":${JSON.stringify(expected)}}`);
  });
}

test('a command that the host rejects fails with the reason', async () => {
  const caught = [];
  const plugin = new Plugin('bot').on('*', async (event) => {
    await event.command('SEND_MESSAGE').catch((error) => caught.push(error));
  });
  const host = await started(plugin);
  const {tell} = host;
  host.tell = (message) => { if (message.type !== 'result') tell.call(host, message); };
  const delivery = host.deliver();
  const {id} = await host.hear('command');
  // An answer of the same number is no command, nor is a command that nobody waits for.
  host.tell({type: 'error', message: 'answer', id: Number(id), reason: 'nothing was asked under this id'});
  host.tell({type: 'error', message: 'command', id: '77', reason: 'of another'});
  host.tell({type: 'error', message: 'command', reason: 'without an id'});
  await host.ping();
  assert(!host.settled.has(delivery));
  host.tell({type: 'error', message: 'command', id, reason: "'command' must be an object"});
  assert.equal((await host.outcome(delivery)).kind, 'ack');
  assert(caught.length === 1 && caught[0] instanceof Refused);
  assert.deepEqual([caught[0].code, caught[0].message], ['malformed', "'command' must be an object"]);
  assert.equal(await host.drain(), 0);
});
