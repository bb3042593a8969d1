/// The templates in JavaScript for Node: no packages.
enum NodeTemplates {
    static func program(_ kind: PluginTemplate.Kind) -> String {
        switch kind {
        case .sink: head + sink + tail
        case .bridge: head + bridge + tail
        case .check: head + check + tail
        }
    }

    static func test(_ kind: PluginTemplate.Kind) -> String {
        switch kind {
        case .sink: testHead + testSink
        case .bridge: testHead + testBridge
        case .check: testHead + testCheck
        }
    }

    private static let head = #"""
        #!{{interpreter}}
        // {{summary}}
        import fs from 'node:fs';

        const say = (message) => fs.writeSync(1, JSON.stringify(message) + '\n');


        """#

    private static let sink = #"""
        let file;
        const answer = {
          hello(message) {  // the first line; 'ready' is the answer
            file = `${message.dataDir}/messages.txt`;
            say({type: 'ready', protocol: 1, name: '{{name}}', version: '0.1'});
          },
          event({event, delivery}) {
            // An event comes again after a crash, so write down what is new only if twice would do harm.
            fs.appendFileSync(file, `${event.channelId} <${event.userId}> ${event.message}\n`);
            say({type: 'ack', delivery});
          },

        """#

    private static let bridge = #"""
        // The key names the command for ever: after a crash the same one is not stored twice.
        const command = ({event, delivery}, step, fields) => say({
          type: 'command', id: step, cause: delivery, key: `${event.eventId}/${step}`,
          command: {userId: '{{name}}/bot', ...fields},
        });

        const answer = {
          hello() {  // the first line; 'ready' is the answer
            say({type: 'ready', protocol: 1, name: '{{name}}', version: '0.1'});
          },
          event(message) {
            const {channelId, message: text} = message.event;
            if (text.startsWith('!echo ')) {
              // Refused the second time, because it is done.
              command(message, 'register', {type: 'REGISTER_USER', name: '{{name}}'});
              command(message, 'join', {type: 'JOIN_CHANNEL', channelId});
              command(message, 'answer', {type: 'SEND_MESSAGE', channelId, message: text.slice(6)});
            }
            say({type: 'ack', delivery: message.delivery});
          },

        """#

    private static let check = #"""
        let word;
        const answer = {
          hello({config}) {  // the first line; 'ready' is the answer
            word = config.word;
            if (typeof word !== 'string' || word === '') {
              say({type: 'fatal', code: 'config', path: 'word', message: 'must be a word'});
              process.exit(78);
            }
            say({type: 'ready', protocol: 1, name: '{{name}}', version: '0.1'});
          },
          check({id, command}) {
            if ((command.message ?? '').includes(word)) {
              say({type: 'verdict', id, allow: false, code: 'word', message: `'${word}' is not welcome`});
            } else {
              say({type: 'verdict', id, allow: true});
            }
          },

        """#

    private static let tail = #"""
          ping: ({n}) => say({type: 'pong', n}),  // whether the program still works
          drain() {  // the server stops, or the plugin is replaced
            say({type: 'drained'});
            process.exit(0);
          },
        };

        // Not 'for await', which would split lines at U+2028 too.
        let rest = '';
        process.stdin.setEncoding('utf8').on('data', (text) => {
          const lines = (rest + text).split('\n');
          rest = lines.pop();
          for (const line of lines) {
            const message = JSON.parse(line);
            answer[message.type]?.(message);
          }
        });

        """#

    private static let testHead = #"""
        #!{{interpreter}}
        // Runs {{program}} as the server does, and checks what it answers.
        import assert from 'node:assert/strict';
        import fs from 'node:fs';
        import os from 'node:os';
        import path from 'node:path';
        import {spawn} from 'node:child_process';
        import {createInterface} from 'node:readline';
        import {afterEach, beforeEach, test} from 'node:test';

        const program = new URL('{{program}}', import.meta.url).pathname;
        let folder, plugin, ended, lines;
        const tell = (message) => plugin.stdin.write(JSON.stringify(message) + '\n');
        const hear = async () => JSON.parse((await lines.next()).value);
        const event = (delivery, message) => tell({
          type: 'event', queue: 'main', delivery, position: delivery, attempt: 1, mode: 'live',
          event: {eventId: `e${delivery}`, type: 'MESSAGE_SENT', userId: 'ann', channelId: 'general', message},
        });

        beforeEach(async () => {
          folder = fs.mkdtempSync(path.join(os.tmpdir(), 'plugin-'));
          plugin = spawn(process.execPath, [program], {stdio: ['pipe', 'pipe', 'inherit']});
          ended = new Promise((resolve) => plugin.on('exit', resolve));
          lines = createInterface({input: plugin.stdout})[Symbol.asyncIterator]();
          tell({type: 'hello', protocol: 1, plugin: '{{name}}', dataDir: folder, config: {word: 'heck'}});
          assert.equal((await hear()).type, 'ready');
        });

        afterEach(async () => {
          plugin.kill('SIGKILL');
          await ended;
          fs.rmSync(folder, {recursive: true});
        });

        test('answers a ping and ends when asked', async () => {
          tell({type: 'ping', n: 7});
          assert.deepEqual(await hear(), {type: 'pong', n: 7});
          tell({type: 'drain', deadlineMs: 1000, why: 'stop'});
          assert.deepEqual(await hear(), {type: 'drained'});
          assert.equal(await ended, 0);
        });


        """#

    private static let testSink = #"""
        test('writes a message to its file', async () => {
          event(1, 'hello');
          assert.deepEqual(await hear(), {type: 'ack', delivery: 1});
          assert.equal(fs.readFileSync(path.join(folder, 'messages.txt'), 'utf8'), 'general <ann> hello\n');
        });

        """#

    private static let testBridge = #"""
        test('answers what is meant for it', async () => {
          event(1, '!echo hello');
          const commands = [await hear(), await hear(), await hear()];
          assert.deepEqual(commands.map((line) => line.type), ['command', 'command', 'command']);
          assert.deepEqual(commands[2].command, {
            userId: '{{name}}/bot', type: 'SEND_MESSAGE', channelId: 'general', message: 'hello',
          });
          assert.deepEqual(await hear(), {type: 'ack', delivery: 1});
        });

        test('leaves the rest alone', async () => {
          event(1, 'hello');
          assert.deepEqual(await hear(), {type: 'ack', delivery: 1});
        });

        """#

    private static let testCheck = #"""
        test('refuses the word and allows the rest', async () => {
          for (const [message, allow] of [['what the heck', false], ['hello', true]]) {
            tell({type: 'check', id: 3, deadlineMs: 1000,
              command: {type: 'SEND_MESSAGE', userId: 'ann', channelId: 'general', message}});
            const verdict = await hear();
            assert.deepEqual([verdict.type, verdict.id, verdict.allow], ['verdict', 3, allow]);
          }
        });

        """#
}
