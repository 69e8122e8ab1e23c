// Writes the ready OCI layouts of the example's variants: what `docker build` makes of each Dockerfile, for a
// machine without an engine. The same tree gives the same bytes on every Node: entries are sorted, dates and
// owners fixed, and gzip members hold stored blocks, so no compressor has a say. No dependencies.
//   node make-layouts.mjs [--out DIR]      (default: layouts/ beside this file)
import { createHash } from 'node:crypto'
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const here = fileURLToPath(new URL('.', import.meta.url))
const created = '2026-11-22T00:00:00Z'
const seconds = Date.parse(created) / 1000
const variants = ['vulnerable', 'fixed']

const table = Array.from({ length: 256 }, (_, n) => {
  let c = n
  for (let k = 0; k < 8; k++) c = c & 1 ? 0xedb88320 ^ (c >>> 1) : c >>> 1
  return c >>> 0
})

function crc32(bytes) {
  let c = 0xffffffff
  for (const byte of bytes) c = table[(c ^ byte) & 255] ^ (c >>> 8)
  return (c ^ 0xffffffff) >>> 0
}

/** One gzip member of stored blocks (RFC 1952, RFC 1951 section 3.2.4). */
function gzipStored(bytes) {
  const parts = [Buffer.from([31, 139, 8, 0, 0, 0, 0, 0, 0, 255])]
  for (let at = 0; at < bytes.length || at === 0; at += 65535) {
    const block = bytes.subarray(at, at + 65535)
    const head = Buffer.alloc(5)
    head[0] = at + 65535 >= bytes.length ? 1 : 0
    head.writeUInt16LE(block.length, 1)
    head.writeUInt16LE(~block.length & 0xffff, 3)
    parts.push(head, block)
  }
  const tail = Buffer.alloc(8)
  tail.writeUInt32LE(crc32(bytes), 0)
  tail.writeUInt32LE(bytes.length >>> 0, 4)
  return Buffer.concat([...parts, tail])
}

/** One POSIX ustar entry: a folder when there is no body. Owner root, fixed date. */
function tarEntry(name, body) {
  if (Buffer.byteLength(name) > 100) throw new Error(`name too long for a plain tar header: ${name}`)
  const head = Buffer.alloc(512)
  const octal = (value, width) => `${value.toString(8).padStart(width - 1, '0')}\0`
  head.write(name, 0)
  head.write(octal(body ? 0o644 : 0o755, 8), 100)
  head.write(octal(0, 8), 108)
  head.write(octal(0, 8), 116)
  head.write(octal(body?.length ?? 0, 12), 124)
  head.write(octal(seconds, 12), 136)
  head.write('        ', 148)
  head.write(body ? '0' : '5', 156)
  head.write('ustar\u000000', 257)
  const sum = head.reduce((total, byte) => total + byte, 0)
  head.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148)
  return body ? Buffer.concat([head, body, Buffer.alloc((512 - (body.length % 512)) % 512)]) : head
}

function tarOf(root, prefix = '') {
  const entries = readdirSync(join(root, prefix), { withFileTypes: true })
  return entries
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .flatMap(entry => {
      const name = prefix + entry.name
      if (entry.isDirectory()) return [tarEntry(`${name}/`), ...tarOf(root, `${name}/`)]
      if (!entry.isFile()) throw new Error(`neither file nor folder: ${name}`)
      return [tarEntry(name, readFileSync(join(root, name)))]
    })
}

/** The Dockerfile's instructions after FROM, in the few forms the example uses; anything else is refused. */
function instructionsOf(text) {
  const lines = text.split('\n').filter(line => line !== '' && !line.startsWith('#'))
  if (lines.shift() !== 'FROM scratch') throw new Error('the example starts from scratch')
  return lines.map(line => {
    const [word, rest] = [line.slice(0, line.indexOf(' ')), line.slice(line.indexOf(' ') + 1)]
    if (line === 'COPY rootfs/ /') return { by: `${line} # buildkit`, layer: true }
    if (word === 'USER') return { by: line, user: rest }
    const label = word === 'LABEL' ? /^([\w.]+)="([^"]*)"$/.exec(rest) : null
    if (label === null) throw new Error(`not an instruction of the example: ${line}`)
    return { by: `LABEL ${label[1]}=${label[2]}`, label: [label[1], label[2]] }
  })
}

function configOf(instructions, diffId) {
  const history = instructions.map(({ by, layer }) => ({
    created,
    created_by: by,
    comment: 'buildkit.dockerfile.v0',
    ...(layer ? {} : { empty_layer: true }),
  }))
  const env = 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'
  const User = instructions.findLast(({ user }) => user !== undefined)?.user ?? ''
  const Labels = Object.fromEntries(instructions.flatMap(({ label }) => (label ? [label] : [])))
  const config = { User, Env: [env], WorkingDir: '/', Labels }
  const rootfs = { type: 'layers', diff_ids: [diffId] }
  return { architecture: 'amd64', os: 'linux', created, config, rootfs, history }
}

const sha256 = bytes => createHash('sha256').update(bytes).digest('hex')

function writeLayout(source, target) {
  rmSync(target, { recursive: true, force: true })
  mkdirSync(join(target, 'blobs/sha256'), { recursive: true })
  const put = (mediaType, bytes) => {
    writeFileSync(join(target, 'blobs/sha256', sha256(bytes)), bytes)
    return { mediaType, digest: `sha256:${sha256(bytes)}`, size: bytes.length }
  }
  const putJson = (mediaType, value) => put(mediaType, Buffer.from(JSON.stringify(value)))
  const tar = Buffer.concat([...tarOf(join(source, 'rootfs')), Buffer.alloc(1024)])
  const layer = put('application/vnd.oci.image.layer.v1.tar+gzip', gzipStored(tar))
  const instructions = instructionsOf(readFileSync(join(source, 'Dockerfile'), 'utf8'))
  const config = putJson(
    'application/vnd.oci.image.config.v1+json',
    configOf(instructions, `sha256:${sha256(tar)}`),
  )
  const mediaType = 'application/vnd.oci.image.manifest.v1+json'
  const manifest = putJson(mediaType, { schemaVersion: 2, mediaType, config, layers: [layer] })
  const index = {
    schemaVersion: 2,
    mediaType: 'application/vnd.oci.image.index.v1+json',
    manifests: [{ ...manifest, platform: { architecture: 'amd64', os: 'linux' } }],
  }
  writeFileSync(join(target, 'index.json'), JSON.stringify(index))
  writeFileSync(join(target, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}')
  return manifest.digest
}

const flag = process.argv.indexOf('--out')
const out = flag < 0 ? join(here, 'layouts') : process.argv[flag + 1]
for (const variant of variants) console.log(variant, writeLayout(join(here, variant), join(out, variant)))
