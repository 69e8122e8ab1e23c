import { GateError } from '../errors.js'

/** What the walk wants next: bytes to look at, or so many to pass over. Never zero. */
type Wish = { readonly look: number } | { readonly skip: number }

const MAGIC = 0xfd2fb528
const BLOCK = { rle: 1, reserved: 3 } as const
const CONTENT_SIZE_BYTES = [0, 2, 4, 8] as const

/**
 * Hands packed bytes on as they come and makes sure that they are exactly one complete zstd frame (RFC 8878,
 * section 3.1.1): the decoder of Node stops in silence at the end of the first frame and where a frame is cut off.
 * Refuses dictionaries, skippable and further frames, bytes behind the frame (`layer-zstd-trailing`), and
 * frames that are broken or end too early (`layer-zstd-broken`). What the blocks hold is for the decoder to check.
 */
export async function* oneZstdFrame(
  source: AsyncIterable<Uint8Array>,
  what: string,
): AsyncGenerator<Uint8Array> {
  const walk = frame(what)
  let wish = walk.next(Buffer.alloc(0))
  let held = Buffer.alloc(0)
  let passed = 0
  for await (const chunk of source) {
    let at = 0
    while (at < chunk.length) {
      if (wish.done === true) throw refuse('layer-zstd-trailing', `bytes behind the zstd frame of ${what}`)
      const skips = 'skip' in wish.value
      const wanted = 'skip' in wish.value ? wish.value.skip : wish.value.look
      const piece = chunk.subarray(at, at + wanted - passed)
      if (!skips) held = Buffer.concat([held, piece])
      at += piece.length
      passed += piece.length
      if (passed < wanted) continue
      wish = walk.next(held)
      held = Buffer.alloc(0)
      passed = 0
    }
    yield chunk
  }
  if (wish.done !== true) throw refuse('layer-zstd-broken', `a zstd frame of ${what} that ends too early`)
}

function* frame(what: string): Generator<Wish, void, Buffer> {
  const head = yield { look: 5 }
  const descriptor = head.readUInt8(4)
  if (head.readUInt32LE(0) !== MAGIC || (descriptor & 0x08) !== 0) {
    throw refuse('layer-zstd-broken', `something else than a zstd frame: ${what}`)
  }
  if ((descriptor & 0x03) !== 0) throw refuse('layer-zstd-broken', `a zstd dictionary: ${what}`)
  const rest = headerBytes(descriptor)
  if (rest > 0) yield { skip: rest }
  for (let last = false; !last;) {
    const header = (yield { look: 3 }).readUIntLE(0, 3)
    last = (header & 1) === 1
    const type = (header >> 1) & 3
    if (type === BLOCK.reserved) throw refuse('layer-zstd-broken', `a reserved zstd block: ${what}`)
    const size = type === BLOCK.rle ? 1 : header >> 3
    if (size > 0) yield { skip: size }
  }
  if ((descriptor & 0x04) !== 0) yield { skip: 4 }
}

/** Bytes of a frame header without dictionary behind its descriptor: window and content size. */
function headerBytes(descriptor: number): number {
  const single = (descriptor & 0x20) !== 0
  const flag = descriptor >> 6
  const contentSize = flag === 0 && single ? 1 : (CONTENT_SIZE_BYTES[flag] ?? 0)
  return (single ? 0 : 1) + contentSize
}

function refuse(reason: string, found: string): GateError {
  const message = `The image holds ${found}. Rebuild it, or compress its layers with gzip.`
  return new GateError('integrity', { reason, message })
}
