import { neutralise, redact, tailOf } from '../../../src/tools/output.js'

const ESC = '\u001b'

test.each([
  ['::error::x', ': :error: :x'],
  [':::add-mask:::', ': : :add-mask: : :'],
  ['a ##[warning]b', 'a # #[warning]b'],
  [`${ESC}[31mred${ESC}[0m`, 'red'],
  [`${ESC}]0;title\u0007after`, 'after'],
  [`:${ESC}[0m:error${ESC}[0m:${ESC}[1m:x`, ': :error: :x'],
  ['one\r\ntwo\rthree', 'one\ntwo\nthree'],
  ['bell\u0007 back\u0008 nul\u0000', 'bell· back· nul·'],
  ['\u202eesrever \u200bhidden', '·esrever ·hidden'],
  ['line\u2028separator', 'line·separator'],
])('%j becomes %j', (text, expected) => {
  expect(neutralise(text)).toBe(expected)
})

test('no workflow command is left, however colons and escapes are mixed', () => {
  const pieces = [':', ESC, '[0m', '\r', '#', '[', '\u200b', 'a']
  for (let seed = 1; seed < 3000; seed += 1) {
    let rest = seed * 2654435761
    let text = ''
    for (let i = 0; i < 12; i += 1) {
      text += pieces[rest % pieces.length] ?? ''
      rest = Math.floor(rest / pieces.length)
    }
    expect(neutralise(text)).not.toMatch(/::|##\[|\r/)
    expect(neutralise(text)).not.toContain(ESC)
  }
})

test('the tail is the last 20 lines, each cut', () => {
  const text = Array.from({ length: 50 }, (_, i) => `line ${i} ${'x'.repeat(1000)}`).join('\n')
  const lines = tailOf(text).split('\n')
  expect(lines).toHaveLength(20)
  expect(lines[19]).toMatch(/^line 49 x+…$/)
  expect(lines[19]?.length).toBe(401)
})

test('secrets are starred, very short ones are not', () => {
  expect(redact('the hunter2 word', ['hunter2', 'the'])).toBe('the *** word')
})
