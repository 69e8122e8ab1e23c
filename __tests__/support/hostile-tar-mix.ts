import { END, GNU, open, pax, paxRecord, POSIX, rawEntry, ZERO } from './raw-tar.js'
import type { HostileTar, Part } from './raw-tar.js'

/** A number from 0 to below `below`. */
type Dice = (below: number) => number

const NAMES = [
  'a',
  'b',
  './a',
  '/a',
  'd/',
  'd/a',
  'd//a',
  'a\\b',
  'ä',
  '\xff',
  '\xff\\b',
  'a\\xffb',
  'n'.repeat(100),
]
const FLAGS = ['0', '0', '0', '0', '\0', '1', '2', '5', '7']
const MAGICS = [POSIX, POSIX, GNU, GNU, '\0'.repeat(8)]
const ENDS = [END, END, END, Buffer.alloc(0), ZERO, Buffer.alloc(9728), Buffer.alloc(700), Buffer.from('x')]
const RECORDS: readonly (readonly [string, string])[] = [
  ['path', 'long'],
  ['path', 'd/long'],
  ['linkpath', 'a'],
  ['size', '3'],
  ['uid', '7'],
  ['mtime', '1.25'],
  ['mtime', ''],
  ['comment', 'text'],
  ['path', 'x/'],
  ['size', '03'],
  ['gid', '-1'],
  ['atime', 'never'],
]

/** `count` archives of a few entries each, put together and damaged by chance; the same for the same seed. */
export function mixedTars(asked: { readonly count: number; readonly seed: number }): readonly HostileTar[] {
  const dice = diceOf(asked.seed)
  return Array.from({ length: asked.count }, (_, at) => {
    const parts = Array.from({ length: 1 + dice(4) }, () => member(dice)).flat()
    const whole = Buffer.concat([open(...parts), pick(dice, ENDS)])
    const cut = dice(12) === 0 ? whole.subarray(0, dice(whole.length)) : whole
    return { what: `mix ${at}`, bytes: cut }
  })
}

/** Mulberry32. */
function diceOf(seed: number): Dice {
  let state = seed
  return below => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below
  }
}

function pick<T>(dice: Dice, from: readonly T[]): T {
  const one = from[dice(from.length)]
  if (one === undefined) throw new Error('there is nothing to pick from')
  return one
}

function member(dice: Dice): readonly Part[] {
  const flag = pick(dice, FLAGS)
  const magic = pick(dice, MAGICS)
  const linked = flag === '1' || flag === '2'
  const holds = flag === '0' || flag === '7' || flag === '\0'
  const block = rawEntry({
    name: Buffer.from(pick(dice, NAMES), 'latin1'),
    linkname: linked ? pick(dice, ['a', './a', '/a', '../a', 'd/a']) : '',
    data: holds ? 'x'.repeat(pick(dice, [0, 3, 3, 512, 700])) : '',
    prefix: magic === POSIX && dice(3) === 0 ? pick(dice, ['p', 'p/q', './p']) : '',
    flag,
    magic,
  })
  return [...before(dice), dice(3) === 0 ? damaged(dice, block) : block]
}

function before(dice: Dice): readonly Part[] {
  const record = (): string => paxRecord(...pick(dice, RECORDS))
  const kind = dice(12)
  if (kind < 3) return [pax('x', record())]
  if (kind === 3) return [pax('x', record(), record())]
  if (kind === 4) return [pax('g', record()), pax('x', record())]
  if (kind === 5) return [pax('g', paxRecord('comment', 'text'))]
  if (kind === 6) return [{ flag: 'L', magic: GNU, data: `${pick(dice, NAMES)}\0` }]
  if (kind === 7) return [{ flag: 'K', magic: GNU, data: 'target\0' }]
  return []
}

/** One byte of the header changed, the checksum made good again. */
function damaged(dice: Dice, entry: Buffer): Buffer {
  const at = pick(dice, [
    dice(512),
    100 + dice(48),
    124 + dice(12),
    136 + dice(12),
    257 + dice(8),
    329 + dice(16),
  ])
  entry[at] = pick(dice, [0, 0x20, 0x30, 0x39, 0x2f, 0x80, 0xff, dice(256)])
  if (at >= 148 && at < 156) return entry
  entry.fill(' ', 148, 156)
  const sum = entry.subarray(0, 512).reduce((total, byte) => total + byte, 0)
  entry.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 8, 'latin1')
  return entry
}
