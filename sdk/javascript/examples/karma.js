#!/usr/bin/env node
// Counts karma: `bob++` and `bob--` change it, `!karma bob` tells it. The counts are durable state.
import {realpathSync} from 'node:fs';
import {Plugin} from '../src/index.js';

export const plugin = new Plugin('karma', '1.0', {state: {}});

plugin.on('MESSAGE_SENT', async (event) => {
  for (const [, name, sign] of event.message.matchAll(/\b([a-z0-9]+)(\+\+|--)/g)) {
    event.state[name] = (event.state[name] ?? 0) + (sign === '++' ? 1 : -1);
  }
  const asked = /^!karma ([a-z0-9]+)$/.exec(event.message);
  if (!asked) return;
  await event.join(event.channelId, 'Karma');
  const message = `${asked[1]} has ${event.state[asked[1]] ?? 0}`;
  await event.command('SEND_MESSAGE', {channelId: event.channelId, message}, {key: `${event.id}/answer`});
}, {examples: [
  {given: {message: 'bob++ and bob++, eve--'}, newState: {bob: 2, eve: -1}},
  {given: {message: '!karma bob'}, state: {bob: 2}, commands: [
    {type: 'REGISTER_USER'}, {type: 'JOIN_CHANNEL'}, {type: 'SEND_MESSAGE', message: 'bob has 2'}]},
  {given: {message: 'hello'}},
]});

if (realpathSync(process.argv[1]) === new URL(import.meta.url).pathname) plugin.main();
