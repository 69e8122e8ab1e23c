import { runAction } from './commands/action.js'
import { assumeTheWorst } from './commands/worst.js'

assumeTheWorst(text => process.stderr.write(text))
runAction(process.env).then(
  code => process.exit(code),
  (thrown: unknown) => {
    process.stderr.write(`portcullis: ${thrown instanceof Error ? thrown.message : 'crashed'}\n`)
    process.exit(3)
  },
)
