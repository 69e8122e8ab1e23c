import type { Spool } from './spool.js'

const BLOCK = 512
const ZERO = Buffer.alloc(2 * BLOCK)

/** Appends one regular file to a tar (POSIX ustar). `name` has at most 100 ASCII characters. */
export function addEntry(tar: Spool, name: string, content: Uint8Array): void {
  const size = content.byteLength
  const block = Buffer.alloc(BLOCK)
  block.write(name, 0, 100, 'latin1')
  block.write('0000644\x000000000\x000000000\0', 100, 'latin1')
  block.write(`${size.toString(8).padStart(11, '0')}\0`, 124, 'latin1')
  block.write(`${'0'.repeat(11)}\0`, 136, 'latin1')
  block.write('        0', 148, 'latin1')
  block.write('ustar\x0000', 257, 'latin1')
  let sum = 0
  for (const byte of block) sum += byte
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1')
  tar.append(block)
  tar.append(content)
  if (size % BLOCK > 0) tar.append(ZERO.subarray(0, BLOCK - (size % BLOCK)))
}

/** Appends the end marker. */
export function endTar(tar: Spool): void {
  tar.append(ZERO)
}
