const TAIL_LINES = 20
const LINE_CHARACTERS = 400
// CSI and OSC sequences and lone escapes (ECMA-48, sections 5.4 and 5.6).
const ESCAPES = new RegExp(
  '\\u001b(?:\\[[0-?]*[ -/]*[@-~]|\\][^\\u0007\\u001b]*(?:\\u0007|\\u001b\\\\)?|.)?',
  'gu',
)
const FORBIDDEN = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu

/**
 * Foreign text made harmless for logs and messages: no terminal escapes, no control, bidi or invisible characters,
 * and no line that a workflow runner takes for a command (`::`, `##[`). Newlines stay, everything else is visible.
 */
export function neutralise(text: string): string {
  return text
    .replace(/\r\n?/gu, '\n')
    .replace(ESCAPES, '')
    .replace(FORBIDDEN, found => (found === '\n' ? '\n' : found === '\t' ? ' ' : '\u00b7'))
    .replace(/::/gu, ': :')
    .replace(/:(?=:)/gu, ': ')
    .replace(/##\[/gu, '# #[')
}

/** The last lines (at most 20, each at most 400 characters) of what a program wrote, neutralised. */
export function tailOf(text: string): string {
  const lines = neutralise(text.slice(-64 * 1024))
    .split('\n')
    .map(line => line.trimEnd())
    .filter(line => line !== '')
  return lines
    .slice(-TAIL_LINES)
    .map(line => (line.length > LINE_CHARACTERS ? `${line.slice(0, LINE_CHARACTERS)}…` : line))
    .join('\n')
}

/** Replaces each secret by stars. Secrets shorter than four characters are left: they would hide ordinary text. */
export function redact(text: string, secrets: readonly string[]): string {
  return secrets
    .filter(secret => secret.length >= 4)
    .reduce((rest, secret) => rest.replaceAll(secret, '***'), text)
}
