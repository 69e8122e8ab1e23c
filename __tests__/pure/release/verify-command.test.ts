import { quote } from '../../../src/release/verify-command.js'

test.each([
  ['/tmp/report/cosign.pub', '/tmp/report/cosign.pub'],
  ['/tmp/my report/cosign.pub', `'/tmp/my report/cosign.pub'`],
  [`/tmp/it's`, `'/tmp/it'\\''s'`],
  ['$(reboot)', `'$(reboot)'`],
  ['a;b', `'a;b'`],
  ['', `''`],
])('%s is written %s', (word, quoted) => {
  expect(quote(word)).toBe(quoted)
})
