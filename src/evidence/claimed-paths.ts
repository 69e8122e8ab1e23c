import { GateError } from '../errors.js'

/** How much all packages of an image claim so far. */
export interface ClaimBudget {
  paths: number
  characters: number
}

const MOST = { paths: 1_000_000, characters: 64 * 1024 * 1024 } as const
/** No file has a longer path (PATH_MAX), so that a longer claim is about no file. */
const MAX_PATH = 4096

/** Nothing claimed yet. */
export function startClaims(): ClaimBudget {
  return { paths: 0, characters: 0 }
}

/**
 * The paths of one list of a package, read line by line. Lines and paths longer than any path are left out; beyond a
 * million paths or 64 million characters of all packages together the image is refused (GateError `evidence`): short
 * lists can be read into far more text than they are.
 */
export function claimedPaths(
  budget: ClaimBudget,
  text: string,
  read: (line: string) => readonly string[],
): readonly string[] {
  const found: string[] = []
  for (const line of linesOf(text)) {
    if (line.length > MAX_PATH * 2) continue
    for (const path of read(line)) {
      if (path.length > MAX_PATH) continue
      budget.paths += 1
      budget.characters += path.length
      if (budget.paths > MOST.paths || budget.characters > MOST.characters) throw tooMuch()
      found.push(path)
    }
  }
  return found
}

function* linesOf(text: string): Generator<string> {
  let start = 0
  for (let end = text.indexOf('\n'); end !== -1; end = text.indexOf('\n', start)) {
    yield text.slice(start, end)
    start = end + 1
  }
  yield text.slice(start)
}

function tooMuch(): GateError {
  return new GateError('evidence', {
    reason: 'metadata-too-large',
    message: `the packages of the image claim more than ${MOST.paths} files or ${MOST.characters} characters of paths`,
  })
}
