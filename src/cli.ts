import { assumeTheWorst } from './commands/worst.js'
import { runTerminal } from './commands/terminal.js'

assumeTheWorst(text => process.stderr.write(text))
runTerminal(process.argv, process.env).then(
  code => process.exit(code),
  (thrown: unknown) => {
    process.stderr.write(`portcullis: ${thrown instanceof Error ? thrown.message : 'crashed'}\n`)
    process.exit(3)
  },
)
