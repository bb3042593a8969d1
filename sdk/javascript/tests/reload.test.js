import assert from 'node:assert/strict';
import {spawnSync} from 'node:child_process';
import {test} from 'node:test';
import {Plugin, Retry} from '../src/index.js';
import {Host} from '../src/testing.js';

const started = async (plugin, options) => {
  const host = new Host(plugin, options);
  await host.start();
  return host;
};

for (const size of [3, 4]) {
  test(`the queues of a pipelined plugin keep their order: ${size}`, async () => {
    const seen = [];
    const plugin = new Plugin('pipe', '1', {pipelined: true}).on('*', (event) => {
      seen.push(event.message);
      if (event.message === 'one' && event.attempt === 1) throw new Retry('again');
    });
    plugin.configure((config) => plugin.queue('main', {window: config.integer('size')}).name);
    const host = await started(plugin, {config: {size: 3}});
    assert.deepEqual(host.lines[0].queues, [{order: 'channel', name: 'main', window: 3}]);
    assert.equal((await host.configure({size})).ok, true);
    const first = host.deliver({message: 'one'});
    const second = host.deliver({message: 'two'});
    const other = host.deliver({message: 'other', channelId: 'random'});
    assert.equal((await host.outcome(first)).kind, 'retry');
    assert.equal((await host.outcome(other)).kind, 'ack');
    assert(!host.settled.has(second));
    host.tell({type: 'voided', delivery: first, through: second});
    host.sent.delete(second);
    const again = ['one', 'two'].map((message) => host.deliver({message}, {attempt: 2}));
    for (const number of again) assert.equal((await host.outcome(number)).kind, 'ack');
    assert.deepEqual(seen, ['one', 'other', 'one', 'two']);
    // Queues that are the same are not told again.
    assert.deepEqual(host.lines.filter(({type}) => type === 'queues').map(({queues}) => queues),
      size === 3 ? [] : [[{order: 'channel', name: 'main', window: 4}]]);
    assert.equal(await host.drain(), 0);
  });
}

/** A plugin whose `configure` throws where the size is 0, after it has declared a queue. */
const fragile = () => {
  const plugin = new Plugin('bot');
  return plugin.configure((config) => {
    const size = config.integer('size');
    plugin.queue(`q${size}`);
    if (size === 0) throw new TypeError('no size');
    return size;
  });
};

test('a configure that throws leaves the old settings', async (t) => {
  const plugin = fragile();
  const host = await started(plugin, {config: {size: 3}});
  const written = t.mock.method(process.stderr, 'write', () => true);
  assert.deepEqual(await host.configure({size: 0}),
    {type: 'configured', id: 1, ok: false, path: '', message: 'TypeError: no size'});
  assert.equal(plugin.settings, 3);
  // What was noted before may be the cause.
  const {path, message} = await host.configure({size: 'x'});
  assert.deepEqual([path, message], ['size', 'size: must be a whole number; TypeError: no size']);
  const text = written.mock.calls.map((call) => call.arguments[0]).join('');
  assert.match(text, /TypeError: no size\n +at .*reload\.test/);
  written.mock.restore();
  assert.equal((await host.event({}, {queue: 'q3'})).kind, 'ack');
  assert.equal((await host.configure({size: 2})).ok, true);
  assert.equal(plugin.settings, 2);
  // Queues of a configuration that was not taken are not the plugin's.
  const [{queues}, ...others] = host.lines.filter(({type}) => type === 'queues');
  assert(others.length === 0 && queues.every(({name}) => name !== 'q0'));
  assert.equal(await host.drain(), 0);
});

test('a configure that throws at first ends as a mistake does', async () => {
  const host = new Host(fragile(), {config: {size: 0}});
  assert.deepEqual(await host.hear('fatal'),
    {type: 'fatal', code: 'configuration', message: 'TypeError: no size', path: '', retry: false});
  assert.equal(await host.close(), 78);
});

test('a queue that the new configuration does not declare ends', async () => {
  const plugin = new Plugin('targets').queue('fixed').configure((config) => {
    for (const name of config.texts('names', [])) plugin.queue(name);
  });
  const names = ({queues}) => queues.map(({name}) => name);
  const host = await started(plugin, {config: {names: ['a', 'b']}});
  assert.deepEqual(names(host.lines[0]), ['fixed', 'a', 'b']);
  assert.equal((await host.configure({names: ['b', 'c']})).ok, true);
  assert.deepEqual(names(await host.hear('queues')), ['fixed', 'b', 'c']);
  // A mistake leaves the queues as they are.
  assert.equal((await host.configure({names: 1})).ok, false);
  assert.equal((await host.configure({names: []})).ok, true);
  assert.deepEqual(names(await host.hear('queues')), ['fixed']);
  assert.equal(await host.drain(), 0);
});

test('without any queue there is main again', async () => {
  const plugin = new Plugin('targets').configure((config) => {
    for (const name of config.texts('names', [])) plugin.queue(name);
  });
  const host = await started(plugin, {config: {names: ['a']}});
  assert.equal((await host.configure({names: []})).ok, true);
  assert.deepEqual((await host.hear('queues')).queues, [{name: 'main'}]);
  assert.equal(await host.drain(), 0);
});

test('a program that nobody speaks to fails and says why', () => {
  const source = new URL('../src/index.js', import.meta.url).href;
  const program = `const {Plugin} = await import(${JSON.stringify(source)}); new Plugin('lonely').main();`;
  const {status, stdout, stderr} = spawnSync(process.execPath, ['--input-type=module', '-e', program],
    {stdio: ['ignore', 'pipe', 'pipe'], encoding: 'utf8', timeout: 30_000});
  assert.deepEqual([status, stdout], [1, '']);
  assert.match(stderr, /before 'hello'/);
});
