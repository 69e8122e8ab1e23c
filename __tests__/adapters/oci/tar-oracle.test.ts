import { createHash } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { z } from 'zod'
import { GateError } from '../../../src/errors.js'
import { readTar } from '../../../src/oci/tar-reader.js'
import { hostileTars } from '../../support/hostile-tars.js'
import type { HostileTar } from '../../support/raw-tar.js'
import { run, toolPath } from '../../support/tools.js'

/** Why we refuse some archives that Go reads, by our reason. */
const STRICTER: Readonly<Record<string, string>> = {
  'tar-checksum': 'Go takes a sum of signed bytes too, as Sun tar made it; other readers do not',
  'tar-entry-type': 'Go hands on types it does not know; extraction drops them, others make files of them',
  'tar-global-pax': 'Go drops the names and sizes of global headers, POSIX and GNU tar apply them',
  'tar-link-size': 'Go passes over the size of links, folders and devices, others over that much data',
  'tar-link-target': 'no reader can make a link to nothing',
  'tar-magic': 'Go reads any unknown magic as an old header, others as POSIX or GNU',
  'tar-number':
    'Go takes negative numbers, numbers beyond 2^53 and what is behind a zero byte; others differ',
  'tar-path': 'a file named as a folder is a folder to some; the root can only be a folder',
  'tar-path-escape': 'Go leaves `..` to its caller, and callers differ',
  'tar-path-length': 'no file system takes such a path',
  'tar-pax-charset': 'Go passes over hdrcharset, libarchive reads names by it',
  'tar-pax-duplicate': 'Go takes the last of two values; what others take differs',
  'tar-pax-order': 'which of several names for one entry counts differs',
  'tar-pax-value': 'Go takes empty and signed numbers, and any value in a global header',
  'tar-sparse': 'sparse files have four forms; few readers know them all',
  'tar-star': 'Go reads the prefix of star headers, others do not know them',
  'tar-trailing-data': 'Go stops at the end marker; readers that ignore zero blocks see the rest',
  'tar-truncated': 'Go takes missing padding and an extended header without entry for an end',
}

/** An entry as both readers must see it: names below the root, the target of links, the content by its hash. */
interface Seen {
  readonly path: string
  readonly type: string
  readonly size: number
  readonly mode: number
  readonly uid: number
  readonly gid: number
  readonly target: string
  readonly sha256: string
}

type Answer = { readonly entries: readonly Seen[] } | { readonly refused: string }

const base64 = z.base64().nullable()
const toldEntry = z.strictObject({
  file: z.string(),
  name: base64,
  typeflag: z.string(),
  size: z.number(),
  mode: z.number(),
  uid: z.number(),
  gid: z.number(),
  linkname: base64,
  read: z.number(),
  sha256: z.string(),
})
const toldEnd = z.strictObject({ file: z.string(), entries: z.int(), error: z.string().optional() })

const TYPES: Readonly<Record<string, string>> = {
  ...{ '0': 'file', '7': 'file', '1': 'link', '2': 'symlink', '3': 'device', '4': 'device' },
  ...{ '5': 'directory', '6': 'fifo' },
}

const tars = hostileTars()
const outcomes = new Map<string, number>()
let dir = ''
let told: ReadonlyMap<string, Answer> = new Map()

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'tar-oracle-'))
  told = await askGo(dir, tars)
})

afterAll(async () => {
  process.stdout.write(table())
  await rm(dir, { recursive: true, force: true })
})

test('the archives are many, and each is another', () => {
  expect(new Set(tars.map(one => one.what)).size).toBe(tars.length)
  expect(new Set(tars.map(one => one.bytes.toString('base64'))).size).toBeGreaterThan(tars.length * 0.95)
  expect(tars.length).toBeGreaterThanOrEqual(200)
})

test.each(tars)('$what', async ({ what, bytes }) => {
  const go = told.get(what)
  if (go === undefined) throw new Error('Go said nothing')
  const ours = await readOurs(bytes)
  count(ours, go)
  if ('entries' in ours) expect(go).toEqual(ours)
  else if ('entries' in go) expect(Object.keys(STRICTER)).toContain(ours.refused)
  else expect(ours.refused).toMatch(/^tar-[a-z-]+$/)
})

test('each strictness is one we need', () => {
  const alone = [...outcomes.keys()].filter(one => one.startsWith('refused by us alone: '))
  expect(alone.map(one => one.slice('refused by us alone: '.length)).toSorted()).toEqual(
    Object.keys(STRICTER).toSorted(),
  )
})

async function readOurs(bytes: Buffer): Promise<Answer> {
  const entries: Seen[] = []
  try {
    await readTar(Readable.from([bytes.subarray(0, 700), bytes.subarray(700)]), entry => {
      const { path, type, size, mode, uid, gid, linkname } = entry
      const hash = createHash('sha256')
      let read = 0
      return {
        write: piece => {
          hash.update(piece)
          read += piece.length
        },
        end: () => {
          expect(read).toBe(size)
          entries.push({ path, type, size, mode, uid, gid, target: linkname, sha256: hash.digest('hex') })
        },
      }
    })
    return { entries }
  } catch (error) {
    if (error instanceof GateError && error.code === 'integrity') return { refused: error.reason }
    throw error
  }
}

async function askGo(into: string, all: readonly HostileTar[]): Promise<ReadonlyMap<string, Answer>> {
  const files = new Map(all.map((one, at) => [`${at}.tar`, one]))
  for (const [file, { bytes }] of files) await writeFile(join(into, file), bytes)
  const { stdout } = await run(toolPath('tar-oracle'), [...files.keys()], { cwd: into })
  const answers = new Map<string, Answer>()
  let entries: Seen[] = []
  for (const line of stdout.trimEnd().split('\n')) {
    const said = z.union([toldEntry, toldEnd]).parse(JSON.parse(line))
    if ('name' in said) {
      // A global header is no entry: Go hands it over as one, for writers.
      if (said.typeflag !== 'g') entries.push(seenByGo(said))
      continue
    }
    const what = files.get(said.file)?.what ?? said.file
    answers.set(what, said.error === undefined ? { entries } : { refused: said.error })
    entries = []
  }
  return answers
}

function seenByGo(said: z.infer<typeof toldEntry>): Seen {
  const type = TYPES[said.typeflag] ?? `type ${said.typeflag}`
  const target = namesOf(said.linkname)
  return {
    path: below(namesOf(said.name)),
    type,
    size: type === 'file' ? said.size : said.read,
    mode: said.mode & 0o7777,
    uid: said.uid,
    gid: said.gid,
    target: type === 'symlink' ? target : type === 'link' ? below(target) : '',
    sha256: said.sha256,
  }
}

/** As `src/oci` shows names, said in another way: each part on its own, text as it is, other bytes as `\xNN`. */
function namesOf(encoded: string | null): string {
  const whole = Buffer.from(encoded ?? '', 'base64').toString('latin1')
  return whole.split('/').map(shownPart).join('/')
}

function shownPart(part: string): string {
  const bytes = Buffer.from(part, 'latin1')
  const text = bytes.toString('utf8')
  const sound = Buffer.from(text).equals(bytes)
  if (sound && !/\\x[89a-f][0-9a-f]/.test(text)) return text
  if (sound) return text.split('\\').join('\\\\')
  const shown = (byte: number): string =>
    byte === 0x5c ? '\\\\' : byte < 0x80 ? String.fromCharCode(byte) : `\\x${byte.toString(16)}`
  return [...bytes].map(shown).join('')
}

function below(path: string): string {
  return path
    .split('/')
    .filter(part => part !== '' && part !== '.')
    .join('/')
}

function count(ours: Answer, go: Answer): void {
  const both = 'refused' in go ? 'refused by both' : `refused by us alone: ${reasonIn(ours)}`
  const outcome = 'refused' in ours ? both : 'entries' in go ? 'read by both' : 'READ BY US ALONE'
  outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1)
}

function reasonIn(answer: Answer): string {
  return 'refused' in answer ? answer.refused : ''
}

function table(): string {
  const lines = [...outcomes].toSorted(([one], [other]) => (one < other ? -1 : 1))
  return `\n${lines.map(([what, times]) => `${String(times).padStart(5)}  ${what}`).join('\n')}\n\n`
}
