import { assumeTheWorst, inertLines } from './commands/worst.js'
import { runTerminal } from './commands/terminal.js'

assumeTheWorst(text => process.stderr.write(text))
runTerminal(process.argv, process.env).then(
  code => process.exit(code),
  (thrown: unknown) => {
    process.stderr.write(inertLines(`portcullis: ${thrown instanceof Error ? thrown.message : 'crashed'}`))
    process.exit(3)
  },
)
