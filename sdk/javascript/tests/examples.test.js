import assert from 'node:assert/strict';
import fs from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import {test} from 'node:test';
import {plugin as karma} from '../examples/karma.js';
import {plugin as polite} from '../examples/polite.js';
import {checkExample, Host} from '../src/testing.js';

const program = async (name, options) => {
  const host = new Host([process.execPath, new URL(`../examples/${name}.js`, import.meta.url).pathname], options);
  await host.start();
  return host;
};
const temporary = (t) => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'sdk-'));
  t.after(() => fs.rmSync(folder, {recursive: true}));
  return folder;
};

for (const plugin of [karma, polite]) {
  for (const [index, entry] of plugin.examples.entries()) {
    test(`example ${index} of ${plugin.name}`, () => checkExample(plugin, entry));
  }
}

test('an example that does not hold fails', async () => {
  const entry = {...karma.examples[0], example: {given: {message: 'bob++'}, newState: {bob: 5}}};
  await assert.rejects(checkExample(karma, entry), {name: 'AssertionError'});
});

test('karma goes on with its state', async () => {
  const host = await program('karma', {states: {main: {bob: 41}}});
  await host.event({message: 'bob++'});
  assert.deepEqual(host.states.main, {bob: 42});
  assert.equal(await host.drain(), 0);
});

test('the exporter writes an event once', async (t) => {
  const dataDir = temporary(t);
  const file = path.join(dataDir, 'messages.jsonl');
  for (let run = 0; run < 2; run += 1) {
    const host = await program('exporter', {dataDir});
    await host.event({eventId: 'a'});
    await host.event({eventId: 'a'}, {attempt: 2});
    if (run) await host.event({eventId: 'b'});
    assert.equal(await host.drain(), 0);
    // As a crash leaves it: half a line.
    if (!run) fs.appendFileSync(file, '{"eventId":"b"');
  }
  const ids = fs.readFileSync(file, 'utf8').trim().split('\n').map((line) => JSON.parse(line).eventId);
  assert.deepEqual(ids, ['a', 'b']);
});

test('a target that is down holds up no other', async (t) => {
  const folder = temporary(t);
  for (const [name, answer] of [['up', 'ok\n'], ['bad', 'no\n']]) {
    const server = net.createServer((socket) => socket.once('data', () => socket.end(answer)));
    await new Promise((resolve) => { server.listen(path.join(folder, name), resolve); });
    t.after(() => server.close());
  }
  const targets = ['up', 'down', 'bad'].map((name) => ({name, socket: path.join(folder, name)}));
  const host = await program('multi_sender', {config: {targets}});
  const numbers = ['down', 'bad', 'up'].map((queue) => host.deliver({message: 'hello'}, {queue}));
  const kinds = [];
  for (const number of numbers) kinds.push((await host.outcome(number)).kind);
  assert.deepEqual(kinds, ['retry', 'reject', 'ack']);
  assert.equal(await host.drain(), 0);
});

test('the check as a program', async () => {
  const host = await program('polite', {phase: 'command', config: {hide: ['darn'], refuse: ['heck']}});
  assert.deepEqual((await host.check({message: 'Darn'})).command, {message: '****'});
  assert.equal((await host.check({message: 'heck'})).allow, false);
  assert.equal((await host.configure({hide: ['x'], refuse: []})).path, 'refuse');
  assert.equal((await host.configure({hide: ['x'], refuse: ['y']})).ok, true);
  assert.equal((await host.check({message: 'heck'})).allow, true);
  assert.equal(await host.drain(), 0);
});
