import assert from 'node:assert/strict';
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
