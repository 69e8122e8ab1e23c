import { libraryRoute, proxyFor, routeTo } from '../../../src/network.js'
import { reasonOfAsync } from '../../support/reasons.js'

const PROXY = 'http://proxy.example:3128'

describe('the proxy of an address', () => {
  test.each<[string, string, string, boolean]>([
    ['nothing excluded', 'https://ghcr.io/v2/', '', true],
    ['everything excluded', 'https://ghcr.io/v2/', '*', false],
    ['the name itself', 'https://ghcr.io/v2/', 'ghcr.io', false],
    ['a name above', 'https://a.ghcr.io/v2/', 'ghcr.io', false],
    ['a name that only ends alike', 'https://notghcr.io/v2/', 'ghcr.io', true],
    ['those below alone, asked the name itself', 'https://ghcr.io/', '.ghcr.io', true],
    ['those below alone', 'https://a.ghcr.io/', '.ghcr.io', false],
    ['those below with a star', 'https://a.ghcr.io/', '*.ghcr.io', false],
    ['the port of https', 'https://ghcr.io/', 'ghcr.io:443', false],
    ['another port', 'https://ghcr.io:8443/', 'ghcr.io:443', true],
    ['the second entry, with blanks and capitals', 'https://ghcr.io/', 'x.example , GHCR.IO', false],
    ['an address', 'https://10.1.2.3/', '10.1.2.3', false],
    ['a network', 'https://10.1.2.3/', '10.0.0.0/8', false],
    ['another network', 'https://11.1.2.3/', '10.0.0.0/8', true],
    ['a network is for addresses alone', 'https://ten.example/', '10.0.0.0/8', true],
    ['no network', 'https://10.1.2.3/', '10.0.0.0/99', true],
    ['an IPv6 network', 'https://[fd00::1]/', 'fd00::/8', false],
    ['an IPv6 address with a port', 'https://[fd00::1]:5000/', '[fd00::1]:5000', false],
    ['localhost, never', 'https://localhost:5000/', '', false],
    ['a loopback address, never', 'https://127.0.0.2:5000/', '', false],
    ['the IPv6 loopback address, never', 'https://[::1]:5000/', '', false],
  ])('%s', (_name, address, excluded, proxied) => {
    const found = proxyFor(new URL(address), { HTTPS_PROXY: PROXY, NO_PROXY: excluded })
    expect(found?.host ?? null).toBe(proxied ? 'proxy.example:3128' : null)
  })

  test('HTTPS_PROXY is for https and HTTP_PROXY for http, each in lower case as well', () => {
    const environment = { HTTPS_PROXY: 'http://s.example:1', http_proxy: 'p.example:2' }
    expect(proxyFor(new URL('https://ghcr.io'), environment)?.host).toBe('s.example:1')
    expect(proxyFor(new URL('http://ghcr.io'), environment)?.host).toBe('p.example:2')
    expect(proxyFor(new URL('http://ghcr.io'), { HTTPS_PROXY: PROXY })).toBeNull()
  })

  test.each(['socks5://proxy.example:1080', 'http://', 'proxy example'])('%s is refused, unshown', text => {
    const secret = text.replace('://', '://user:S3CRET@')
    const ask = (): unknown => proxyFor(new URL('https://ghcr.io'), { HTTPS_PROXY: secret })
    expect(ask).toThrow(expect.objectContaining({ code: 'config', reason: 'proxy-unusable' }) as Error)
    expect(ask).not.toThrow('S3CRET')
  })
})

test('without any variable nothing is changed, and a library is kept from asking this machine by a proxy', async () => {
  const url = new URL('https://ghcr.io/v2/')
  expect(await routeTo(url, {})).toEqual({ proxy: null, authorities: null })
  expect(await libraryRoute(url, {})).toEqual({ noProxy: ['localhost', '127.0.0.1', 'ghcr.io'] })
  const route = await libraryRoute(url, {
    HTTPS_PROXY: PROXY,
    NO_PROXY: '*.a.example,b.example:443,10.0.0.0/8',
  })
  expect(route).toEqual({
    proxy: `${PROXY}/`,
    noProxy: ['localhost', '127.0.0.1', 'a.example', 'b.example'],
  })
})

test.each(['/nonexistent/ca.pem', import.meta.filename])('no certificates in %s: refused', async file => {
  const answer = routeTo(new URL('https://ghcr.io/'), { SSL_CERT_FILE: file })
  expect(await reasonOfAsync(answer)).toBe('ca-unusable')
})
