import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import {test} from 'node:test';
import {Config, Plugin, Refused, Reject, Retry} from '../src/index.js';
import {HeldLanes, Settlements} from '../src/settlements.js';
import {Host} from '../src/testing.js';
import {cut, encodeLine, encodeState} from '../src/wire.js';

const started = async (plugin, options) => {
  const host = new Host(plugin, options);
  await host.start();
  return host;
};

for (const [opened, acked, line] of [
  [[1], [1], '{"type":"ack","delivery":1}\n'],
  [[1, 2, 3], [3, 2, 1], '{"type":"ack","upTo":3}\n'],
  [[1, 2, 3], [1, 2], '{"type":"ack","upTo":2}\n'],
  [[1, 2, 3], [2, 3], '{"type":"ack","deliveries":[2,3]}\n'],
]) {
  test(`a range is settled only if nothing in it is open: ${opened} ${acked}`, () => {
    const settlements = new Settlements();
    for (const number of opened) settlements.opened('main', number);
    for (const number of acked) settlements.acked('main', number);
    assert.equal(settlements.take(), line);
    assert.equal(settlements.take(), '');
  });
}

test('a lane is held until it is voided', () => {
  const lanes = new HeldLanes();
  lanes.hold('a', 1);
  const event = {lane: 'a', queue: 'main', delivery: 2};
  assert(lanes.skips(event) && !lanes.skips({...event, lane: 'b'}));
  assert.deepEqual(lanes.release(1), {lane: 'a', skipped: [{queue: 'main', delivery: 2}]});
  assert(!lanes.skips(event));
});

test('limits say what to do', () => {
  assert.throws(() => encodeState('main', 'x'.repeat(65_536)), /at most 65536: keep less in it/);
  assert.throws(() => encodeLine({type: 'log', message: 'x'.repeat(1 << 20)}), /'log' line has/);
  assert.equal(cut('ää', 3), 'ä');
});

test('mistakes of the configuration have paths', () => {
  const config = new Config({lists: [{name: ''}, {size: 1.5}], words: ['x', 3], mode: 'c', '__proto__x': 1});
  for (const each of config.tables('lists')) {
    each.text('name');
    each.integer('size', 1, {minimum: 1});
  }
  config.texts('words');
  config.text('mode', 'a', {choices: ['a', 'b']});
  assert.deepEqual(config.close().map((each) => each.path),
    ['lists[0].name', 'lists[1].name', 'lists[1].size', 'words[1]', 'mode', '__proto__x']);
});

for (const [error, kind, code] of [
  [new Retry('busy', 'm', {after: 1.5, counted: false}), 'retry', 'busy'],
  [new Reject('bad', 'no', {deadLetter: false}), 'reject', 'bad'],
  [new TypeError('oops'), 'retry', 'exception'],
]) {
  for (const isAsync of [false, true]) {
    test(`no acknowledgement before success: ${kind} ${code} ${isAsync}`, async () => {
      const plugin = new Plugin('bot', '1', {state: {n: 0}});
      const work = (event) => {
        event.state.n += 1;
        if (event.message === 'fail') throw error;
      };
      plugin.on('MESSAGE_SENT', isAsync ? async (event) => work(event) : work);
      const host = await started(plugin);
      const outcome = await host.event({message: 'fail'});
      assert.deepEqual([outcome.kind, outcome.code], [kind, code]);
      assert.deepEqual((await host.event({message: 'fine'})).state, {n: 1});
      assert.equal(await host.drain(), 0);
    });
  }
}

test('a command resolves to its result, or rejects with Refused', async () => {
  const results = [];
  const plugin = new Plugin('bot').on('*', async (event) => {
    results.push(await event.command('SEND_MESSAGE', {channelId: 'general', message: 'hi'}, {key: 'k', ref: 'r'}));
    await event.command('SEND_MESSAGE', {}).catch((problem) => results.push(problem));
  });
  const onCommand = ({command}) => (command.message ? undefined : ['invalid', 'no text']);
  const host = await started(plugin, {onCommand});
  assert.equal((await host.event()).kind, 'ack');
  assert.deepEqual(results[0], {eventId: 'c1', position: 1, duplicate: false});
  assert(results[1] instanceof Refused && results[1].code === 'invalid');
  const {cause, key, ref, command} = host.commands[0];
  assert.deepEqual([cause, key, ref, command.userId], [1, 'k', 'r', 'bot/bot']);
  assert.equal(await host.drain(), 0);
});

test('a ping is answered while a handler waits', async () => {
  let leave;
  const plugin = new Plugin('slow').on('*', () => new Promise((resolve) => { leave = resolve; }));
  const host = await started(plugin);
  const delivery = host.deliver();
  assert.equal((await host.ping(7)).n, 7);
  assert(!host.settled.has(delivery));
  leave();
  assert.equal((await host.outcome(delivery)).kind, 'ack');
  assert.equal(await host.drain(), 0);
});

test('acknowledgements are joined and none is lost', async () => {
  const plugin = new Plugin('sink').on('*', (event) => (event.delivery % 7 ? undefined : Promise.resolve()));
  const host = await started(plugin);
  const numbers = Array.from({length: 5000}, (_, index) => host.deliver({channelId: `c${index % 11}`}));
  for (const number of numbers) assert.equal((await host.outcome(number)).kind, 'ack');
  assert.equal(await host.drain(), 0);
  assert(host.lines.filter(({type}) => type === 'ack').length < 1000);
});

test('a pipelined plugin waits for voided', async () => {
  for (const isAsync of [false, true]) {
    const seen = [];
    const work = (event) => {
      seen.push(event.message);
      if (event.message === 'one' && event.attempt === 1) throw new Retry('again');
    };
    const plugin = new Plugin('pipe', '1', {pipelined: true}).on('*', isAsync ? async (event) => work(event) : work);
    const host = await started(plugin);
    const first = host.deliver({message: 'one'});
    const second = host.deliver({message: 'two'});
    const other = host.deliver({message: 'other', channelId: 'random'});
    assert.equal((await host.outcome(first)).kind, 'retry');
    assert.equal((await host.outcome(other)).kind, 'ack');
    host.tell({type: 'voided', delivery: first, through: second});
    host.sent.delete(second);
    const again = [host.deliver({message: 'one'}, {attempt: 2}), host.deliver({message: 'two'}, {attempt: 2})];
    for (const number of again) assert.equal((await host.outcome(number)).kind, 'ack');
    assert(!host.settled.has(second));
    assert.deepEqual(seen, ['one', 'other', 'one', 'two']);
    assert.equal(await host.drain(), 0);
  }
});

test('lanes keep their order, run at the same time, and are bounded', async () => {
  const seen = [];
  let running = 0;
  let most = 0;
  const plugin = new Plugin('lanes', '1', {concurrency: 3}).on('*', async (event) => {
    running += 1;
    most = Math.max(most, running);
    await new Promise((resolve) => { setImmediate(resolve); });
    running -= 1;
    seen.push([event.channelId, event.delivery]);
  });
  const host = await started(plugin);
  const numbers = Array.from({length: 60}, (_, index) => host.deliver({channelId: `c${index % 6}`}));
  for (const number of numbers) await host.outcome(number);
  assert.equal(most, 3);
  for (let lane = 0; lane < 6; lane += 1) {
    const own = seen.filter(([channel]) => channel === `c${lane}`).map(([, delivery]) => delivery);
    assert.deepEqual(own, own.toSorted?.((a, b) => a - b) ?? [...own].sort((a, b) => a - b));
    assert.equal(own.length, 10);
  }
  assert.equal(await host.drain(), 0);
});

test('configuration: mistakes, reload, and check', async () => {
  const plugin = new Plugin('bot').configure((config) => config.integer('size', undefined, {minimum: 1}));
  let host = new Host(plugin, {config: {size: 0, sise: 1}});
  assert.deepEqual([(await host.hear('fatal')).path, (await host.hear('fatal')).path], ['size', 'sise']);
  assert.equal(await host.close(), 78);
  host = await started(plugin, {config: {size: 3}});
  assert.equal(host.lines[0].reload, true);
  assert.equal((await host.configure({size: 'x'})).path, 'size');
  assert.equal(plugin.settings, 3);
  assert.equal((await host.configure({size: 4})).ok, true);
  assert.equal(plugin.settings, 4);
  assert.equal(await host.drain(), 0);
  host = new Host(plugin, {config: {size: 3}, purpose: 'check'});
  await host.hear('ready');
  assert.equal(await host.status, 0);
});

test('the end of input ends a handler that waits for a result', async () => {
  const errors = [];
  const plugin = new Plugin('bot').on('*', async (event) => {
    await event.command('SEND_MESSAGE').catch((error) => { errors.push(error.constructor.name); throw error; });
  });
  const host = await started(plugin, {onCommand: () => { host.input.end(); return ['late', '']; }});
  host.tell = () => {};
  host.input.write('{"type":"event","queue":"main","delivery":1,"position":1,"attempt":1,"mode":"live","event":{}}\n');
  assert.equal(await host.status, 0);
  assert.deepEqual(errors, ['HostClosed']);
  assert(host.lines.every(({type}) => type !== 'ack'));
});

test('asks, and a wrong phase', async () => {
  const host = await started(new Plugin('bot').ask('sizes', (queue) => [queue, 2]));
  host.tell({type: 'ask', id: 5, what: 'sizes', queue: 'main'});
  assert.deepEqual(await host.hear('answer'), {type: 'answer', id: 5, ok: true, answer: ['main', 2]});
  assert.equal(await host.drain(), 0);
  const wrong = new Host(new Plugin('bot'), {phase: 'command'});
  assert.match((await wrong.hear('fatal')).message, /has no check\(\)/);
  assert.equal(await wrong.close(), 78);
});

test('what is printed does not reach the host', async () => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'sdk-'));
  const program = path.join(folder, 'chatty.mjs');
  fs.writeFileSync(program, `import {Plugin} from '${new URL('../src/index.js', import.meta.url)}';
    console.log('a stray print');
    new Plugin('chatty').on('*', () => { console.log('more'); process.stdout.write('more\\n'); }).main();
    console.log('still more');`);
  const host = await started([process.execPath, program]);
  assert.equal((await host.event()).kind, 'ack');
  assert.equal(await host.drain(), 0);
  fs.rmSync(folder, {recursive: true});
  // The first line is printed before the library has taken over standard output.
  assert.deepEqual(host.lines.map(({type}) => type), ['ready', 'ack', 'drained']);
  assert.deepEqual(host.strays, ['a stray print']);
});
