// @ts-check
/** The process' standard input and output as the host uses them. */
import fs from 'node:fs';
import net from 'node:net';

/**
 * Calls back with the lines of a stream, many at once. Lines end at LF only.
 * @param {NodeJS.ReadableStream} input @param {(lines: string[]) => void} onLines @param {() => void} onEnd
 */
export function readLines(input, onLines, onEnd) {
  /** @type {Buffer[]} */
  let rest = [];
  input.on('data', (chunk) => {
    const end = chunk.lastIndexOf(10);
    if (end < 0) {
      rest.push(chunk);
      return;
    }
    // Whole lines are decoded at once, so no character is cut.
    const head = chunk.subarray(0, end);
    const text = rest.length ? Buffer.concat([...rest, head]).toString() : head.toString();
    rest = end + 1 < chunk.length ? [chunk.subarray(end + 1)] : [];
    onLines(text.split('\n'));
  });
  input.on('end', onEnd);
  input.on('error', onEnd);
}

/** Standard output for the protocol alone. What anybody prints goes to standard error. */
export function protocolOutput() {
  const isPipe = !fs.fstatSync(1).isFile();
  // Not process.stdout, which writes synchronously: the host may wait until this process reads.
  const output = isPipe ? new net.Socket({fd: 1, readable: false, writable: true}) : fs.createWriteStream('', {fd: 1});
  output.on('error', () => {});
  Object.defineProperty(process, 'stdout', {value: process.stderr});
  globalThis.console = new console.Console(process.stderr, process.stderr);
  return output;
}
