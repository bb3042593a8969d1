#!/usr/bin/env node
// Asked before messages are stored: hides some words, refuses others. Its manifest says phase = "command".
import {realpathSync} from 'node:fs';
import {Plugin, Refuse} from '../src/index.js';

export const plugin = new Plugin('polite', '1.0');
const config = {hide: ['darn'], refuse: ['heck']};

plugin.configure((config) => {
  const pattern = (key) => {
    const words = config.texts(key).map((word) => word.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'));
    return new RegExp(words.join('|') || '(?!)', 'gi');
  };
  return {hide: pattern('hide'), refuse: pattern('refuse')};
});

plugin.check(['SEND_MESSAGE', 'EDIT_MESSAGE'], ({message = ''}) => {
  const {hide, refuse} = plugin.settings;
  if (message.search(refuse) >= 0) throw new Refuse('rude', 'mind your words');
  const hidden = message.replace(hide, (word) => '*'.repeat(word.length));
  return hidden === message ? undefined : {message: hidden};
}, {examples: [
  {given: {message: 'hello'}, config},
  {given: {message: 'darn it'}, config, changes: {message: '**** it'}},
  {given: {message: 'what the heck'}, config, refused: 'rude'},
]});

if (realpathSync(process.argv[1]) === new URL(import.meta.url).pathname) plugin.main();
