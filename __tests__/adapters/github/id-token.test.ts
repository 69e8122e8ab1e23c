import { GateError } from '../../../src/errors.js'
import { idTokenProblem, requestIdToken, type IdTokenLimits } from '../../../src/github/id-token.js'
import { reasonOfAsync } from '../../support/reasons.js'
import { startIssuer, type IssuerTrouble, type TokenIssuer } from '../../support/token-issuer.js'

let issuer: TokenIssuer
beforeAll(async () => {
  issuer = await startIssuer()
})
afterAll(() => issuer.stop())
beforeEach(() => issuer.trouble(null))

const PATIENT = { answerMs: 20_000, budgetMs: 20_000, pauseMs: 20 }
const BRIEF = { ...PATIENT, budgetMs: 100 }
const { signal } = new AbortController()

function request(
  limits: Partial<IdTokenLimits> = PATIENT,
  environment: Readonly<Record<string, string>> = issuer.environment,
): Promise<string> {
  return requestIdToken({ environment, signal, limits }, 'sigstore')
}

test('one token with the audience that was asked for', async () => {
  const asked = issuer.asked.length
  expect(await request()).toBe(issuer.given.at(-1))
  expect(issuer.asked.slice(asked)).toEqual(['api-version=2.0&audience=sigstore'])
})

test.each<readonly [string, number, IssuerTrouble]>([
  ['503', 2, { status: 503 }],
  ['429', 2, { status: 429 }],
  ['a connection that is cut', 1, 'cut'],
])('%s is waited out', async (_what, times, trouble) => {
  issuer.trouble(count => (count <= times ? trouble : null))
  expect(await request()).toBe(issuer.given.at(-1))
})

test.each<readonly [string, string, IssuerTrouble]>([
  ['500 for ever', 'id-token-unavailable', { status: 500 }],
  ['a service that hangs', 'id-token-unavailable', 'hang'],
  ['a service that cuts', 'id-token-unavailable', 'cut'],
  ['401', 'id-token-refused', { status: 401 }],
  ['403', 'id-token-refused', { status: 403 }],
  ['a redirect', 'id-token-refused', { status: 302 }],
  ['no JSON', 'id-token-malformed', { status: 200, body: '<html>' }],
  ['an empty answer', 'id-token-malformed', { status: 200 }],
  ['no token in it', 'id-token-malformed', { status: 200, body: '{"value":""}' }],
  ['a token with a newline', 'id-token-malformed', { status: 200, body: '{"value":"a.b.c\\n"}' }],
  ['an answer of 1 MiB', 'id-token-malformed', { status: 200, body: 'a'.repeat(1 << 20) }],
])('%s ends as %s', async (_what, reason, trouble) => {
  issuer.trouble(() => trouble)
  const limits = trouble === 'hang' ? { ...BRIEF, answerMs: 300 } : BRIEF
  expect(await reasonOfAsync(request(limits))).toBe(reason)
})

test('nothing that listens ends as id-token-unavailable, without the address in the message', async () => {
  const environment = { ...issuer.environment, ACTIONS_ID_TOKEN_REQUEST_URL: 'http://127.0.0.1:9/secret?a=b' }
  const thrown: unknown = await request(BRIEF, environment).catch((error: unknown) => error)
  expect(thrown).toBeInstanceOf(GateError)
  expect(thrown).toMatchObject({ reason: 'id-token-unavailable' })
  expect(String(thrown)).not.toContain('secret')
})

test('no message holds the request token or what the service says', async () => {
  issuer.trouble(() => ({ status: 200, body: 'the words of the service' }))
  const thrown: unknown = await request().catch((error: unknown) => error)
  expect(String(thrown)).not.toMatch(/request-token|the words/)
})

test.each<readonly [string, Readonly<Record<string, string>>, RegExp]>([
  ['without both variables', {}, /id-token: write/],
  ['without the address', { ACTIONS_ID_TOKEN_REQUEST_TOKEN: 'x' }, /id-token: write/],
  ['without the request token', { ACTIONS_ID_TOKEN_REQUEST_URL: 'https://a/' }, /id-token: write/],
  [
    'with an address in the open',
    { ACTIONS_ID_TOKEN_REQUEST_URL: 'http://example.com/', ACTIONS_ID_TOKEN_REQUEST_TOKEN: 'x' },
    /no https address/,
  ],
  [
    'with a file',
    { ACTIONS_ID_TOKEN_REQUEST_URL: 'file:///etc/passwd', ACTIONS_ID_TOKEN_REQUEST_TOKEN: 'x' },
    /no https address/,
  ],
])('a run %s is told so before anybody is asked', async (_what, environment, words) => {
  expect(idTokenProblem(environment)).toMatch(words)
  expect(await reasonOfAsync(request(BRIEF, environment))).toBe('id-token-missing')
})
