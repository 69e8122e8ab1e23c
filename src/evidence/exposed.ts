const HIDDEN = '***'
const BASE64 = /"[A-Za-z0-9+/]{64,}={0,2}"/g

/**
 * A JSON text in which none of these secrets is left: each becomes `***`, as it is written by JavaScript and by Go,
 * and a Base64 string that holds one is replaced as a whole. The structure of the document stays as it is.
 */
export function hideSecrets(json: string, secrets: readonly string[]): string {
  if (secrets.length === 0) return json
  const forms = [...new Set(secrets.flatMap(formsOf))].sort((a, b) => b.length - a.length)
  const plain = forms.reduce((text, form) => text.replaceAll(form, HIDDEN), json)
  return plain.replace(BASE64, quoted => {
    const decoded = Buffer.from(quoted.slice(1, -1), 'base64').toString('utf8')
    return forms.some(form => decoded.includes(form)) ? `"${HIDDEN}"` : quoted
  })
}

/** How a secret stands inside a JSON string: plain, escaped once, and escaped as Go does it by default. */
function formsOf(secret: string): readonly string[] {
  const escaped = JSON.stringify(secret).slice(1, -1)
  const go = escaped.replace(
    /[<>&\u2028\u2029]/g,
    at => `\\u${at.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
  return [escaped, go].filter(form => form !== '')
}
