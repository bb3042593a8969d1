#!/usr/bin/env node
// Sends messages to several targets. Each target is a queue of its own, so that one that is down holds up no other.
// Here a target is a local Unix socket that gets one line of JSON and answers `ok`. In the manifest:
//
//     [[config.targets]]
//     name = "first"
//     socket = "/run/first.sock"
import net from 'node:net';
import {Plugin, Reject, Retry} from '../src/index.js';

const plugin = new Plugin('multi-sender', '1.0');

plugin.configure((config) => {
  const targets = new Map(config.tables('targets', true).map((each) => [each.text('name'), each.text('socket')]));
  for (const name of targets.keys()) plugin.queue(name, {types: ['MESSAGE_SENT'], window: 16});
  return targets;
});

/** Writes a line to a socket and resolves to the answer. */
const exchange = (path, line) => new Promise((resolve, reject) => {
  let answer = '';
  const socket = net.connect(path, () => socket.write(line));
  socket.setEncoding('utf8').on('data', (text) => { answer += text; }).on('end', () => resolve(answer.trim()));
  socket.on('error', reject);
});

plugin.on('MESSAGE_SENT', async (event) => {
  const path = plugin.settings.get(event.queue);
  let answer;
  try {
    answer = await exchange(path, JSON.stringify({id: event.id, message: event.message}) + '\n');
  } catch (error) {
    // The target is down: not the event's fault, so it uses up no attempt.
    throw new Retry('unreachable', `${path}: ${error.code}`, {after: 0.5, counted: false});
  }
  if (answer !== 'ok') throw new Reject('refused', `${path} answered '${answer}'`);
});

plugin.main();
