import { commandsIn, parseCommandFile } from '../../support/workflow-commands.js'

// What the runner itself reads from a log and from command files: the ruler that the tests of the action use.
function named(text: string): readonly string[] {
  return commandsIn(text, 'stdout').map(command => `${command.name}|${command.data}`)
}

describe('commands in a log', () => {
  it.each([
    ['::error::no', ['error|no']],
    ['   ::warning file=a,line=1::no', ['warning|no']],
    ['text ::error::no', []],
    ['::nothing::no', []],
    ['::error no', []],
    ['::ERROR::no', ['error|no']],
    ['##[error]no', ['error|no']],
    ['anywhere ##[add-mask]a', ['add-mask|a']],
    ['## [error]no', []],
    ['##[section]no', []],
    ['a\r::error::after a carriage return', ['error|after a carriage return']],
    ['::error::100%25 %0A%0D', ['error|100% \n\r']],
    ['##[error]a%3Bb%5D', ['error|a;b]']],
    [
      '::stop-commands::token-x\n::error::unseen\n##[error]unseen\n::token-x::\n::error::seen',
      ['stop-commands|token-x', 'error|seen'],
    ],
    ['::set-output name=verdict::pass', ['set-output|pass']],
  ])('%j', (text, expected) => {
    expect(named(text)).toEqual(expected)
  })

  it('properties are unescaped, commas and colons too', () => {
    const [command] = commandsIn('::error title=a%3A b%2C c,file=Dockerfile,line=3::x', 'stderr')
    expect(command).toEqual({
      name: 'error',
      properties: { title: 'a: b, c', file: 'Dockerfile', line: '3' },
      data: 'x',
      stream: 'stderr',
    })
  })
})

describe('command files', () => {
  it.each([
    ['', {}],
    ['a=b\n', { a: 'b' }],
    ['a=b=c<<d\n', { a: 'b=c<<d' }],
    ['a<<END\none\ntwo=2\nEND\nb=3\n', { a: 'one\ntwo=2', b: '3' }],
    ['a<<E\n\nE\n', { a: '' }],
    ['a=1\na=2\n', { a: '2' }],
  ])('%j', (text, expected) => {
    expect(parseCommandFile(text)).toEqual(expected)
  })

  it.each(['=x', 'a<<END\nno end', '<<END\nx\nEND', 'no assignment'])(
    'the runner fails the step on %j',
    text => {
      expect(() => parseCommandFile(text)).toThrow('command file')
    },
  )
})
