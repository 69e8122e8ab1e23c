/** One challenge of a `WWW-Authenticate` header (RFC 9110, section 11.6.1). Parameter names in lower case. */
export interface Challenge {
  readonly scheme: 'basic' | 'bearer'
  readonly parameters: Readonly<Record<string, string>>
}

const MAX_HEADER = 8192
const PARAMETER = /([A-Za-z0-9_-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))/g

/** Reads the first basic or bearer challenge of the header; null when there is none. */
export function parseChallenge(header: string | null): Challenge | null {
  if (header === null || header.length > MAX_HEADER) return null
  const start = /(?:^|,\s*)(basic|bearer)(?:\s+|$)/i.exec(header)
  if (start === null) return null
  const parameters: Record<string, string> = {}
  for (const match of header.slice(start.index + start[0].length).matchAll(PARAMETER)) {
    const name = (match[1] ?? '').toLowerCase()
    if (!Object.hasOwn(parameters, name))
      parameters[name] = (match[2] ?? match[3] ?? '').replace(/\\(.)/g, '$1')
  }
  return { scheme: start[1]?.toLowerCase() === 'basic' ? 'basic' : 'bearer', parameters }
}
